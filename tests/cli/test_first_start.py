"""A first start serves in a folder that is not there, whichever settings are given with it: each alone, and every pair together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from rbac_api.cli.prepare import prepare
from rbac_api.database.engine import Database
from rbac_api.factory import close_app, create_app
from rbac_api.settings import Settings, SettingsRefused, checked
from tests.builders import SECRET
from tests.cast import PASSWORD

PEM = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
TEXTS: dict[str, Any] = {
    "host": "0.0.0.0", "data_dir": "{folder}/of its/own", "database_url": "sqlite:////{folder}/else/where/x.db",
    "redis_url": "redis://127.0.0.1:1/0", "secret_key": SECRET, "issuer": "https://rbac.example.com", "audience": "others",
    "signing_algorithm": "ES256", "signing_key": PEM, "token_limit": "7 per hour", "account_limit": "7 per hour", "script_name": "/rbac",
    "signin_limit": "7 per hour", "checkpoint_url": "https://witness.example.com/checkpoints",
    "admin_username": "root-of-all", "admin_password": PASSWORD, "cors_origins": ("https://app.example.com",), "log_level": "error",
}  # fmt: skip
# What a lifetime or a limit may be is bound to another one.
NUMBERS = {
    "access_token_seconds": 60,
    "refresh_token_seconds": 7200,
    "session_seconds": 50000,
    "signin_free_failures": 3,
}
NAMES = [field.name for field in fields(Settings)]
# Two that cannot be had together, and are refused in words: the key is for another algorithm; a secret is needed beside an address.
ODD = {("signing_algorithm", "signing_key"): "RBAC_SIGNING_KEY"}


def other_value(name: str, folder: Path) -> Any:
    """A value that is allowed and is not the default."""
    (field,) = [each for each in fields(Settings) if each.name == name]
    if name in NUMBERS:
        return NUMBERS[name]
    if name in TEXTS:
        value = TEXTS[name]
        return (
            value.format(folder=str(folder).lstrip("/"))
            if "{" in value and name != "data_dir"
            else (value.format(folder=folder) if name == "data_dir" else value)
        )
    if field.default is None or isinstance(field.default, bool):
        return not field.default
    low, high = field.metadata["bounds"] or (field.default + 1, field.default + 1)
    return field.default + 1 if field.default < high else low


def chosen(names: tuple[str, ...], folder: Path) -> dict[str, Any]:
    return {"data_dir": str(folder / "instance"), **{name: other_value(name, folder) for name in names}}


def start(names: tuple[str, ...], folder: Path) -> int:
    """What `make run` does until it is ready, without the processes; with the cheapest passwords, and few rows, unless asked for."""
    values = {"password_cost": 4, "seed_example": False, **chosen(names, folder)}
    if "database_url" in names:
        values.setdefault("secret_key", SECRET)
    settings = checked(Settings(**values))
    database = Database(settings)
    prepare(settings, database)
    database.dispose()
    app = create_app(settings)
    try:
        return app.test_client().get("/readyz").status_code
    finally:
        close_app(app)


def rows(count: int) -> list[tuple[str, ...]]:
    """Selections of settings such that each pair is somewhere together, apart (both ways), and absent: a covering array of strength 2.

    Each name gets a word of as many bits as there are selections, of which half are set and the first always: of two different such words
    neither contains the other, both have the first, and some bit is in neither (Kleitman and Spencer 1973).
    """
    words = [frozenset((0, *rest)) for rest in combinations(range(1, count), count // 2 - 1)]
    assert len(words) >= len(NAMES)
    return [
        tuple(name for name, word in zip(NAMES, words, strict=False) if row in word) for row in range(count)
    ]


def without_odd(names: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The selection; in two parts where two of it cannot be had together."""
    for first, second in ODD:
        if {first, second} <= set(names):
            return [tuple(name for name in names if name != left_out) for left_out in (first, second)]
    return [names]


def test_each_pair_is_tried_in_all_four_ways() -> None:
    tried = rows(12)
    for pair in combinations(NAMES, 2):
        ways = {tuple(name in row for name in pair) for row in tried}
        assert len(ways) == 4, pair


@pytest.mark.parametrize("name", NAMES)
def test_a_first_start_serves_with_each_setting_alone(name: str, tmp_path: Path) -> None:
    assert other_value(name, tmp_path) != next(f.default for f in fields(Settings) if f.name == name)
    assert start((name,), tmp_path) == 200


@pytest.mark.parametrize("row", rows(12), ids=range(12))
def test_a_first_start_serves_with_settings_together(row: tuple[str, ...], tmp_path: Path) -> None:
    for number, names in enumerate(without_odd(row)):
        assert start(names, tmp_path / str(number)) == 200


@pytest.mark.parametrize("pair", ODD)
def test_two_that_cannot_be_had_together_are_refused_by_name(pair: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(SettingsRefused, match=ODD[pair]):  # type: ignore[index]
        start(pair, tmp_path)
    assert not (tmp_path / "instance" / "rbac.db").exists()


def a_file(place: Path) -> None:
    place.write_text("not a folder")


def under_a_file(place: Path) -> None:
    place.parent.joinpath("file").write_text("not a folder")


@pytest.mark.parametrize(("spoil", "name"), [(a_file, "instance"), (under_a_file, "file/instance")])
@pytest.mark.parametrize("given", [{"secret_key": SECRET}, {}], ids=["with-secret", "without"])
def test_a_folder_that_cannot_be_made_is_named(
    spoil: Callable[[Path], None], name: str, given: Mapping[str, str], tmp_path: Path
) -> None:
    spoil(tmp_path / "instance")
    settings = Settings(data_dir=str(tmp_path / name), **given)  # type: ignore[arg-type]

    with pytest.raises(SettingsRefused) as refusal:
        prepare(checked(settings), Database(checked(settings)))

    assert "RBAC_DATA_DIR" in refusal.value.detail
    assert "Retry-After" not in refusal.value.detail


@pytest.mark.parametrize(
    ("url", "wanted"), [("", True), ("sqlite:////x/y.db", True), ("postgresql://h/d", False)]
)
def test_the_example_company_comes_by_default_with_sqlite_alone(url: str, wanted: bool) -> None:
    assert Settings(database_url=url).wants_example is wanted
    assert [Settings(database_url=url, seed_example=said).wants_example for said in (True, False)] == [
        True,
        False,
    ]
    given = {"RBAC_DATABASE_URL": url, "RBAC_SECRET_KEY": SECRET, "RBAC_SEED_EXAMPLE": "on"}
    assert Settings.from_environment(given).wants_example is True
