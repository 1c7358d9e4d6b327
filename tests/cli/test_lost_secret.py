"""The file with the secret is gone, and the database that was made with it is still there: nothing is begun anew."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from rbac_api.cli.prepare import prepare
from rbac_api.database.engine import Database
from rbac_api.factory import create_app
from rbac_api.settings import Settings, SettingsRefused, complete


def embedded(folder: Path) -> Settings:
    return Settings(data_dir=str(folder), password_cost=4, seed_example=False, log_level="error")


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """A data folder after a first start."""
    settings = complete(embedded(tmp_path))
    database = Database(settings)
    prepare(settings, database)
    database.dispose()
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_refuses_writes_nothing_and_says_how_to_recover(used: Path) -> None:
    kept = (used / "secret_key").read_bytes()
    (used / "secret_key").unlink()
    before = contents(used)

    for _ in range(2):
        with pytest.raises(SettingsRefused) as refused:
            create_app(embedded(used))
    assert contents(used) == before
    (fault,) = refused.value.faults
    assert str(used / "secret_key") in fault
    for remedy in ("Put the file back from a backup", "RBAC_SECRET_KEY", "move rbac.db"):
        assert remedy in fault

    (used / "secret_key").write_bytes(kept)
    assert complete(embedded(used)).secret_key == kept.decode().strip()


def test_the_secret_may_be_given_in_the_variable_instead(used: Path) -> None:
    secret = (used / "secret_key").read_text().strip()
    (used / "secret_key").unlink()
    settings = Settings(data_dir=str(used), secret_key=secret, password_cost=4, log_level="error")
    app = create_app(settings)
    assert app.test_client().get("/readyz").status_code == 200
    app.extensions["rbac-api"].close()


def test_an_empty_file_of_a_start_that_was_cut_short_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "rbac.db").touch()
    assert complete(embedded(tmp_path)).secret_key
    assert (tmp_path / "secret_key").exists()


def test_another_process_may_make_both_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first start of several at once: the secret is there before anything is in the database."""
    looked = Path.stat

    def slow(self: Path, **options: bool) -> object:
        if self.name == "rbac.db" and not self.parent.joinpath("secret_key").is_file():
            other = threading.Thread(
                target=lambda: (made.append(complete(embedded(tmp_path))), self.write_bytes(b"x"))
            )
            self.parent.joinpath("secret_key").write_text(
                "s" * 9 + "Jq3v0pZt8cWm5yLr2xBn7kFd4hGs9aTe1uVo6iXw\n"
            )
            other.start()
            other.join()
        return looked(self, **options)

    made: list[Settings] = []
    monkeypatch.setattr(Path, "stat", slow)
    assert complete(embedded(tmp_path)) == made[0]
