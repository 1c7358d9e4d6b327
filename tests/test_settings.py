"""Settings: everything wrong is said at once, by name and never by value, and secrets that are made are made once."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from rbac_api import protect
from rbac_api.cli.prepare import prepare
from rbac_api.cli.serve import serve
from rbac_api.database.engine import Database
from rbac_api.database.migrate import is_empty
from rbac_api.factory import create_app
from rbac_api.settings import ALGORITHMS, Settings, SettingsRefused, complete
from tests.builders import SECRET, settings_for

ROOT = Path(__file__).parents[1]
PG = "postgresql://rbac:pass-in-url@db.internal/rbac"
# The key that the fault names, and the environment that has it.
BAD: list[tuple[str, dict[str, str]]] = [
    ("RBAC_SECRET_KEY", {"RBAC_DATABASE_URL": PG}),
    ("RBAC_SECRET_KEY", {"RBAC_SECRET_KEY": "tooshortbutrandom1"}),
    ("RBAC_SECRET_KEY", {"RBAC_SECRET_KEY": "changeme"}),
    ("RBAC_SECRET_KEY", {"RBAC_SECRET_KEY": "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET"}),
    ("RBAC_SECRET_KEY", {"RBAC_SECRET_KEY": "a-string-secret-at-least-256-bits-long"}),
    ("RBAC_SECRET_KEY", {"RBAC_SECRET_KEY": "0123456789abcdef0123456789abcdef"}),
    ("RBAC_SECRET_KEY", {"RBAC_SECRET_KEY": "abcabcabc" * 5}),
    ("RBAC_SECRET_KEY", {"RBAC_SECRET_KEY": "\udcff" * 40}),
    ("RBAC_SECRET_KEY_FILE", {"RBAC_SECRET_KEY": SECRET, "RBAC_SECRET_KEY_FILE": "/dev/null"}),
    ("RBAC_SECRET_KEY_FILE", {"RBAC_SECRET_KEY_FILE": "/nowhere/at-all"}),
    ("RBAC_SIGNING_ALGORITHM", {"RBAC_SIGNING_ALGORITHM": "none-of-them"}),
    ("RBAC_SIGNING_ALGORITHM", {"RBAC_SIGNING_ALGORITHM": "hs256"}),
    ("RBAC_SIGNING_KEY", {"RBAC_SIGNING_KEY": "-----BEGIN GARBAGE-----"}),
    ("RBAC_SIGNING_KEY", {"RBAC_SIGNING_KEY": "superfluous-key", "RBAC_SIGNING_ALGORITHM": "HS256"}),
    ("RBAC_PASSWORD_COST", {"RBAC_PASSWORD_COST": "9"}),
    ("RBAC_PASSWORD_COST", {"RBAC_PASSWORD_COST": "17"}),
    ("RBAC_PASSWORD_COST", {"RBAC_PASSWORD_COST": "3"}),
    ("RBAC_PASSWORD_COST", {"RBAC_PASSWORD_COST": "twelve"}),
    ("RBAC_DATABASE_URL", {"RBAC_DATABASE_URL": "mysql://somewhere-else/rbac", "RBAC_SECRET_KEY": SECRET}),
    ("RBAC_DATABASE_URL", {"RBAC_DATABASE_URL": "sqlite:///relative.db", "RBAC_SECRET_KEY": SECRET}),
    (
        "RBAC_DATABASE_URL",
        {"RBAC_DATABASE_URL": "postgresql://u:p@h:not-a-port/d", "RBAC_SECRET_KEY": SECRET},
    ),
    ("RBAC_DATABASE_TIMEOUT_SECONDS", {"RBAC_DATABASE_TIMEOUT_SECONDS": "0"}),
    ("RBAC_REDIS_URL", {"RBAC_REDIS_URL": "http://not-a-store:6379"}),
    ("RBAC_REDIS_URL", {"RBAC_REDIS_URL": "redis://store:port-less"}),
    ("RBAC_ISSUER", {"RBAC_ISSUER": "rbac.example.com"}),
    ("RBAC_ISSUER", {"RBAC_ISSUER": "https://"}),
    ("RBAC_ISSUER", {"RBAC_ISSUER": "https://[::1"}),
    ("RBAC_ISSUER", {"RBAC_ISSUER": "https://rbac.example.com/?tenant=1"}),
    ("RBAC_ISSUER", {"RBAC_ISSUER": "https://rbac.example.com/a b"}),
    ("RBAC_AUDIENCE", {"RBAC_AUDIENCE": "   "}),
    ("RBAC_AUDIENCE", {"RBAC_AUDIENCE": "https://one.example.com", "RBAC_ISSUER": "https://one.example.com"}),
    ("RBAC_ACCESS_TOKEN_SECONDS", {"RBAC_ACCESS_TOKEN_SECONDS": "0"}),
    ("RBAC_ACCESS_TOKEN_SECONDS", {"RBAC_ACCESS_TOKEN_SECONDS": "7777777"}),
    ("RBAC_REFRESH_TOKEN_SECONDS", {"RBAC_REFRESH_TOKEN_SECONDS": "99999999"}),
    ("RBAC_SESSION_SECONDS", {"RBAC_SESSION_SECONDS": "9" * 18}),
    ("RBAC_SESSION_SECONDS", {"RBAC_SESSION_SECONDS": "9" * 5000}),
    ("RBAC_REFRESH_LEEWAY_SECONDS", {"RBAC_REFRESH_LEEWAY_SECONDS": "61"}),
    ("RBAC_CLOCK_LEEWAY_SECONDS", {"RBAC_CLOCK_LEEWAY_SECONDS": "3600"}),
    ("RBAC_PASSWORD_SETUP_SECONDS", {"RBAC_PASSWORD_SETUP_SECONDS": "59"}),
    ("RBAC_SIGNIN_LIMIT", {"RBAC_SIGNIN_LIMIT": "quite often"}),
    ("RBAC_SIGNIN_LIMIT", {"RBAC_SIGNIN_LIMIT": "0 per day"}),
    ("RBAC_SIGNIN_FREE_FAILURES", {"RBAC_SIGNIN_FREE_FAILURES": "11"}),
    ("RBAC_SIGNIN_LOCK_FAILURES", {"RBAC_SIGNIN_LOCK_FAILURES": "101"}),
    ("RBAC_SIGNIN_LOCK_SECONDS", {"RBAC_SIGNIN_LOCK_SECONDS": "0"}),
    ("RBAC_SIGNIN_QUEUE", {"RBAC_SIGNIN_QUEUE": "0"}),
    ("RBAC_RETENTION_DAYS", {"RBAC_RETENTION_DAYS": "0"}),
    ("RBAC_CORS_ORIGINS", {"RBAC_CORS_ORIGINS": "https://a.example.com, *"}),
    ("RBAC_CORS_ORIGINS", {"RBAC_CORS_ORIGINS": "https://a.example.com/path"}),
    ("RBAC_CORS_ORIGINS", {"RBAC_CORS_ORIGINS": "https://name:word@a.example.com"}),
    ("RBAC_CORS_ORIGINS", {"RBAC_CORS_ORIGINS": "null"}),
    ("RBAC_PROXY_HOPS", {"RBAC_PROXY_HOPS": "-1"}),
    ("RBAC_PROXY_HOPS", {"RBAC_PROXY_HOPS": "11"}),
    ("RBAC_WORKERS", {"RBAC_WORKERS": "257"}),
    ("RBAC_THREADS", {"RBAC_THREADS": "0"}),
    ("RBAC_HASHERS", {"RBAC_HASHERS": "1.5"}),
    ("RBAC_LOG_LEVEL", {"RBAC_LOG_LEVEL": "chatty"}),
    ("RBAC_DOCS", {"RBAC_DOCS": "perhaps"}),
    ("SCRIPT_NAME", {"SCRIPT_NAME": "prefix"}),
    ("SCRIPT_NAME", {"SCRIPT_NAME": "/prefix/"}),
    ("SCRIPT_NAME", {"SCRIPT_NAME": "//other.example.com"}),
    ("SCRIPT_NAME", {"SCRIPT_NAME": '/pre"fix'}),
    ("PORT", {"PORT": "70000"}),
    ("PORT", {"PORT": "٨٠٠٠"}),
]


def shows(text: str, value: str) -> bool:
    """Whether a value stands in a text that is neither too short to be told apart nor one of the names a fault may offer."""
    return len(value) > 3 and value not in ALGORITHMS and value in text


def test_the_log_level_is_read_in_any_case() -> None:
    assert Settings.from_environment({"RBAC_LOG_LEVEL": " INFO"}).log_level == "info"


@pytest.mark.parametrize(
    ("key", "environ"), BAD, ids=[f"{key}-{number}" for number, (key, _) in enumerate(BAD)]
)
def test_a_bad_setting_is_refused_by_name_and_never_by_value(key: str, environ: dict[str, str]) -> None:
    with pytest.raises(SettingsRefused) as caught:
        Settings.from_environment(environ)

    assert len(caught.value.faults) == 1
    assert key in caught.value.faults[0]
    assert not [value for value in environ.values() if shows(caught.value.detail, value)]


def test_everything_wrong_is_said_at_once() -> None:
    environ = {name: value for _, bad in BAD for name, value in bad.items() if not name.endswith("_FILE")}

    with pytest.raises(SettingsRefused) as caught:
        Settings.from_environment(environ)

    named = {
        name
        for name in environ
        if any(fault.startswith((name, "lifetimes")) for fault in caught.value.faults)
    }
    assert len(caught.value.faults) > 20
    assert environ.keys() - named <= {
        "RBAC_REFRESH_TOKEN_SECONDS",
        "RBAC_SESSION_SECONDS",
        "RBAC_ACCESS_TOKEN_SECONDS",
        "RBAC_SIGNING_KEY",
    }
    assert not [value for value in environ.values() if shows(caught.value.detail, value)]


@pytest.mark.outside
def test_the_server_does_not_start_with_bad_settings_and_says_why(tmp_path: Path) -> None:
    environ = {
        "RBAC_SECRET_KEY": "changeme",
        "RBAC_PASSWORD_COST": "4",
        "PORT": "eighty",
        "RBAC_DATA_DIR": str(tmp_path / "data"),
    }

    done = subprocess.run(
        [sys.executable, ROOT / "app.py"],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode != 0
    assert [line.split()[1] for line in done.stderr.splitlines() if line.startswith("  - ")] == [
        "PORT",
        "RBAC_SECRET_KEY",
        "RBAC_PASSWORD_COST",
    ]
    assert "Traceback" not in done.stderr
    assert "changeme" not in done.stderr + done.stdout
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "changes", [{"secret_key": ""}, {"secret_key": "changeme"}, {"cors_origins": ("*",)}, {"audience": ""}]
)
def test_an_application_is_not_made_of_bad_settings_however_they_came(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    settings = settings_for(f"sqlite:///{tmp_path}/own.db", **changes)
    with pytest.raises(SettingsRefused):
        create_app(settings)
    with pytest.raises(SettingsRefused):
        protect(Flask("theirs"), settings)
    with pytest.raises(SystemExit, match="does not start"):
        serve(create_app, settings)
    assert not list(tmp_path.iterdir())


def test_without_any_setting_there_is_the_embedded_default() -> None:
    settings = Settings.from_environment({})

    assert settings == Settings()
    assert settings.embedded
    assert settings.on_sqlite
    assert settings.issuer_url == "http://127.0.0.1:8000"
    assert settings.worker_count == 1
    assert settings.hasher_count >= 1


def test_every_kind_of_value_is_read() -> None:
    settings = Settings.from_environment(
        {
            "PORT": " 9000 ", "RBAC_DOCS": "No", "RBAC_SEED_EXAMPLE": "YES",
            "RBAC_CORS_ORIGINS": "https://a.example, http://[::1]:3000,",
            "RBAC_ISSUER": "https://rbac.example.com/auth", "RBAC_WORKERS": "3", "RBAC_AUDIENCE": "", "RBAC_DATABASE_URL": PG,
            "RBAC_SECRET_KEY": SECRET, "RBAC_REDIS_URL": "rediss://store:6380/1", "RBAC_SIGNIN_LIMIT": "5/second; 60/hour",
        }
    )  # fmt: skip

    assert (settings.port, settings.docs, settings.seed_example, settings.workers) == (9000, False, True, 3)
    assert settings.cors_origins == ("https://a.example", "http://[::1]:3000")
    assert (settings.issuer_url, settings.audience) == ("https://rbac.example.com/auth", "rbac-api")
    assert (settings.url, settings.on_sqlite, settings.embedded) == (PG, False, False)
    assert settings.worker_count == 3


def test_the_processes_own_environment_is_read_unless_another_is_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RBAC_AUDIENCE", "the-process")

    assert Settings.from_environment().audience == "the-process"


SECRETS = {
    "RBAC_SECRET_KEY": SECRET,
    "RBAC_DATABASE_URL": PG,
    "RBAC_REDIS_URL": "redis://:word@store/0",
    "RBAC_ADMIN_PASSWORD": "otters in the fjord 7",
}


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    environ = {}
    for name, value in SECRETS.items():
        (tmp_path / name).write_text(value + "\n")
        environ[f"{name}_FILE"] = str(tmp_path / name)

    from_files, from_values = Settings.from_environment(environ), Settings.from_environment(SECRETS)

    assert from_files == from_values
    assert from_files.secret_key == SECRET


def test_a_setting_that_is_no_secret_has_no_file(tmp_path: Path) -> None:
    (tmp_path / "audience").write_text("from-a-file")

    assert (
        Settings.from_environment({"RBAC_AUDIENCE_FILE": str(tmp_path / "audience")}).audience == "rbac-api"
    )


@pytest.mark.parametrize("content", [b"\xff\xfe\x00binary", b"", b"\n\n"])
@pytest.mark.parametrize("environ", [{}, {"RBAC_DATABASE_URL": PG}])
def test_a_file_without_a_usable_secret_is_refused(
    tmp_path: Path, environ: dict[str, str], content: bytes
) -> None:
    place = tmp_path / "secret"
    place.write_bytes(content)

    with pytest.raises(SettingsRefused, match=r"RBAC_SECRET_KEY_FILE (is empty|cannot be read)"):
        Settings.from_environment({**environ, "RBAC_SECRET_KEY_FILE": str(place)})


ADMINISTRATORS = {
    "RBAC_ADMIN_USERNAME": {"admin_username": "ad\u200bmin"},
    "RBAC_ADMIN_PASSWORD": {"admin_password": "passwordpassword"},
}


@pytest.mark.parametrize("key", ADMINISTRATORS)
def test_a_first_administrator_whom_nobody_could_make_is_refused_by_name(empty_url: str, key: str) -> None:
    settings = settings_for(empty_url, **ADMINISTRATORS[key])
    database = Database(settings)

    with pytest.raises(SettingsRefused) as caught:
        prepare(settings, database)
    written = not is_empty(database)
    database.dispose()

    assert [fault.partition(":")[0] for fault in caught.value.faults] == [key]
    assert "passwordpassword" not in caught.value.detail
    assert not written


def test_no_secret_shows_when_settings_are_printed() -> None:
    settings = Settings.from_environment(SECRETS)

    assert not [value for value in SECRETS.values() if value in repr(settings) + str(settings)]
    assert "audience='rbac-api'" in repr(settings)


def test_the_embedded_default_makes_a_secret_of_its_own_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "instance"

    made = complete(Settings(data_dir=str(folder)))
    again = complete(Settings(data_dir=str(folder)))

    assert made.secret_key == again.secret_key
    assert made.faults() == []
    assert len(made.secret_key) >= 64
    assert [path.name for path in folder.iterdir()] == ["secret_key"]
    assert stat.S_IMODE((folder / "secret_key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_secret_that_is_given_is_not_made(tmp_path: Path) -> None:
    given = Settings(data_dir=str(tmp_path / "instance"), secret_key=SECRET)
    elsewhere = Settings(data_dir=str(tmp_path / "instance"), database_url=PG)

    assert complete(given) is given
    assert complete(elsewhere) is elsewhere
    assert not (tmp_path / "instance").exists()


def test_a_made_secret_is_checked_like_any_other(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("changeme\n")

    with pytest.raises(SettingsRefused, match="example"):
        create_app(Settings(data_dir=str(tmp_path)))


def test_a_secret_that_was_lost_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "secret_key").write_text("\n")

    with pytest.raises(SettingsRefused, match="its secret_key is empty"):
        complete(Settings(data_dir=str(tmp_path)))


@pytest.mark.parametrize("obstacle", ["a file in the way", "bytes in the secret", "a folder in its place"])
def test_a_data_folder_that_cannot_be_used_is_refused(tmp_path: Path, obstacle: str) -> None:
    folder = tmp_path / "instance"
    if obstacle == "a file in the way":
        folder.write_text("")
    else:
        folder.mkdir()
        (folder / "secret_key").write_bytes(b"\xff\xfe") if "bytes" in obstacle else (
            folder / "secret_key"
        ).mkdir()

    with pytest.raises(SettingsRefused, match="RBAC_DATA_DIR cannot be used"):
        complete(Settings(data_dir=str(folder)))


@pytest.fixture(scope="module")
def race(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[int]]]:
    """The folder, and how many different secrets eight processes ended up with in each of twenty rounds, our way and naively."""
    folder = tmp_path_factory.mktemp("race")
    command = [sys.executable, "-m", "tests.secret_race", str(folder), "20"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=3000, check=True)
    return folder, json.loads(done.stdout)


@pytest.mark.outside
def test_eight_processes_that_start_at_once_agree_on_one_secret(
    race: tuple[Path, dict[str, list[int]]],
) -> None:
    folder, found = race

    assert found["ours"] == [1] * 20
    assert sorted(path.name for path in folder.glob("ours/*/*")) == ["secret_key"] * 20


@pytest.mark.outside
def test_a_naive_way_would_give_them_different_ones(race: tuple[Path, dict[str, list[int]]]) -> None:
    assert min(race[1]["naive"]) > 1


@pytest.mark.parametrize(
    ("variable", "address", "module", "extra"),
    [
        ("RBAC_DATABASE_URL", "postgresql://rbac@127.0.0.1/rbac", "psycopg", "postgresql"),
        ("RBAC_DATABASE_URL", "postgres://rbac@127.0.0.1/rbac", "psycopg", "postgresql"),
        ("RBAC_REDIS_URL", "redis://127.0.0.1", "redis", "redis"),
        ("RBAC_REDIS_URL", "unix:///run/redis.sock", "redis", "redis"),
    ],
)
def test_a_driver_that_is_not_installed_is_named_with_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, variable: str, address: str, module: str, extra: str
) -> None:
    given = {"RBAC_SECRET_KEY": "an odd secret of more than 32 bytes", variable: address}
    assert Settings.from_environment(given).faults() == []
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(SettingsRefused, match=f"{variable} needs the package {module}.*rbac-api.{extra}"):
        Settings.from_environment(given)
