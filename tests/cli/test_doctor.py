"""`doctor` finds each fault by itself and says the remedy."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rbac_api import clock
from rbac_api.database.requirements import requirements_of
from rbac_api.settings import Settings
from tests.builders import SECRET, Stage, settings_for
from tests.cast import ALICE, BOB, CAROL
from tests.cli.conftest import Shell
from tests.cli.test_trail import tamper
from tests.conftest import Stages

MakeShell = Callable[[Settings], Shell]


def faults(shell: Shell) -> dict[str, dict[str, Any]]:
    """What the doctor finds wrong, by name; each with a remedy."""
    report = shell.json("doctor", code=1)
    assert report["healthy"] is False
    found = {check["name"]: check for check in report["checks"] if not check["ok"]}
    assert all(check["remedy"] for check in found.values())
    return found


@pytest.fixture
def private(stage: Stage) -> None:
    """The stage's SQLite file was made by a copy, not by the service."""
    if stage.engine == "sqlite":
        for file in Path(stage.settings.database_url.removeprefix("sqlite:///")).parent.glob("stage.db*"):
            file.chmod(0o600)


@pytest.mark.usefixtures("private")
def test_a_healthy_service_is_called_healthy(stage: Stage, shell: Shell) -> None:
    report = shell.json("doctor")
    assert report["healthy"] is True
    names = [check["name"] for check in report["checks"] if check["name"] != "data folder"]
    assert names == [
        "settings",
        "database",
        *(need.name for need in requirements_of(stage.database)),
        "schema",
        "trail",
        "clock",
        "proxy",
        "signing key",
        "instance",
        "roles",
        "constraints",
        "administrator",
    ]
    assert shell("doctor").exit_code == 0


def test_a_removed_trigger_is_named(stages: Stages) -> None:
    stage = stages.get("sqlite")
    stage.reset()
    stage.execute("DROP TRIGGER trail_events_no_replace")
    assert "trail_events_no_replace" in faults(Shell(stage.app))["trail"]["detail"]


@pytest.mark.outside
def test_a_trigger_that_is_switched_off_is_named(stages: Stages) -> None:
    stage = stages.get("postgresql")
    stage.reset()
    stage.execute("ALTER TABLE trail_events DISABLE TRIGGER trail_events_no_truncate")
    try:
        found = faults(Shell(stage.app))
    finally:
        stage.execute("ALTER TABLE trail_events ENABLE TRIGGER trail_events_no_truncate")
    assert "trail_events_no_truncate" in found["trail"]["detail"]


def test_a_clock_behind_the_trail_is_found(stage: Stage, shell: Shell) -> None:
    tamper(stage, "UPDATE trail_events SET at = '2999-01-01 00:00:00.000000' WHERE seq > 9")
    assert "behind the trail's last event" in faults(shell)["clock"]["detail"]


@pytest.mark.outside
def test_a_clock_that_differs_from_the_databases_is_found(
    stages: Stages, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = stages.get("postgresql")
    stage.reset()
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(minutes=5))
    assert "differs from the database's by 300 s" in faults(Shell(stage.app))["clock"]["detail"]


def test_a_row_that_cannot_be_read_is_a_fault_and_no_traceback(stages: Stages) -> None:
    stage = stages.get("sqlite")
    stage.reset()
    tamper(stage, "UPDATE trail_events SET at = 'once upon a time' WHERE seq > 9")
    assert "audit verify" in faults(Shell(stage.app))["clock"]["remedy"]


def test_another_instance_secret_is_found(stage: Stage, shell_with: MakeShell) -> None:
    shell = shell_with(replace(stage.settings, secret_key=SECRET[::-1]))
    assert "is not the one this database was created with" in faults(shell)["signing key"]["detail"]


def test_roles_that_inherit_each_other_are_named(stage: Stage, shell: Shell) -> None:
    ids = dict(stage.query("SELECT name, id FROM roles WHERE name IN ('admin', 'auditor')"))
    columns = "INSERT INTO role_inheritance (id, senior_id, junior_id, valid_from) VALUES"
    for number, (senior, junior) in enumerate((("admin", "auditor"), ("auditor", "admin"))):
        new_id = f"0198a00000007000800000000000000{number}"
        stage.execute(
            f"{columns} ('{new_id}', '{ids[senior]}', '{ids[junior]}', '2026-01-01 00:00:00.000000')"
        )
    assert "admin, auditor" in faults(shell)["roles"]["detail"]


def test_nobody_left_to_administer_is_found(stage: Stage, shell: Shell) -> None:
    stage.execute("UPDATE users SET password_hash = NULL WHERE username = 'alice'")
    assert "recover-admin" in faults(shell)["administrator"]["remedy"]


def test_an_empty_database_is_found(empty_url: str, shell_with: MakeShell) -> None:
    shell = shell_with(settings_for(empty_url))
    assert "rbac-api init" in faults(shell)["schema"]["detail"]
    assert "Remedy:" in shell("doctor").stdout


def test_a_database_that_does_not_answer_is_found(shell_with: MakeShell) -> None:
    shell = shell_with(settings_for("postgresql://rbac:hidden-password@127.0.0.1:1/nowhere"))
    found = faults(shell)
    assert "refused" in found["database"]["detail"]
    assert "hidden-password" not in str(found)


@pytest.fixture
def embedded(tmp_path: Path, shell_with: MakeShell) -> Shell:
    """A service as `make run` makes it: everything in one folder."""
    shell = shell_with(settings_for("", secret_key="", data_dir=str(tmp_path / "data")))
    assert shell("init").exit_code == 0
    return shell


def test_a_folder_the_service_made_is_its_owners_alone(embedded: Shell) -> None:
    checks = embedded.json("doctor")["checks"]
    assert [check["ok"] for check in checks if check["name"] == "data folder"] == [True]


@pytest.mark.parametrize(
    ("name", "mode"), [("", "700"), ("secret_key", "600"), ("rbac.db", "600"), ("rbac.db-wal", "600")]
)
def test_files_that_others_can_read_are_found(embedded: Shell, tmp_path: Path, name: str, mode: str) -> None:
    place = tmp_path / "data" / name
    embedded("doctor")  # opens the database, so that all its files are there
    place.touch()
    place.chmod(0o755)
    assert faults(embedded)["data folder"]["remedy"] == f"Run: chmod {mode} {place}"


def proxy_line(shell: Shell) -> dict[str, Any]:
    report = json.loads(shell("doctor", "--json").stdout)
    (found,) = [check for check in report["checks"] if check["name"] == "proxy"]
    return found  # type: ignore[no-any-return]


def test_a_proxy_that_no_setting_counts_shows_in_where_sign_ins_come_from(
    stage: Stage, shell: Shell, shell_with: MakeShell
) -> None:
    stage.as_(ALICE)
    assert (proxy_line(shell)["risk"], proxy_line(shell)["ok"]) == (False, True)

    for person in (BOB, CAROL):
        stage.as_(person)
    found = proxy_line(shell)

    assert (found["ok"], found["risk"]) == (True, True)
    assert "of 3 users, all came from 127.0.0.1" in found["detail"]
    assert "RBAC_PROXY_HOPS" in found["remedy"]
    assert "RISK   proxy" in shell("doctor").stdout
    assert proxy_line(shell_with(replace(stage.settings, proxy_hops=1)))["risk"] is False


def test_a_file_that_cannot_be_opened_is_not_blamed_on_a_server(
    tmp_path: Path, shell_with: MakeShell
) -> None:
    place = tmp_path / "is-a-folder"
    place.mkdir()
    found = faults(shell_with(settings_for(f"sqlite:///{place}")))
    assert "RBAC_DATA_DIR" in found["database"]["remedy"]
