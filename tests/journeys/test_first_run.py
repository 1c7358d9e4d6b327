"""What whoever starts the service reads: the first time, the second time, and when it does not start."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.builders import SECRET
from tests.cast import NEW_PASSWORD, PASSWORD
from tests.faults.calls import once
from tests.servers.places import server_folder
from tests.servers.postgres import PostgresServer
from tests.servers.service import Service

pytestmark = pytest.mark.outside

Make = Callable[..., Service]
CHEAP = {"RBAC_PASSWORD_COST": "10", "RBAC_SEED_EXAMPLE": "off"}
NODES = 8


@pytest.fixture
def make() -> Iterator[Make]:
    """Services with only these settings; started by the test, ended with it."""
    made: list[Service] = []

    def service(*, measured: bool = False, **settings: Any) -> Service:
        given = {name: str(value) for name, value in {**CHEAP, **settings}.items()}
        made.append(Service(server_folder("first-run"), given, measured=measured))
        return made[-1]

    yield service
    for one in made:
        one.end()


def sign_in(service: Service, password: str, username: str = "admin") -> Any:
    return once(service, "POST", "/v1/auth/login", None, {"username": username, "password": password}).json


def test_the_first_run_says_what_it_did_and_shows_a_password_once(make: Make) -> None:
    service = make(measured=True, RBAC_SEED_EXAMPLE="on")
    service.start()
    first = service.output()
    service.terminate()
    service.start()
    again = service.output()
    service.terminate()

    for words in (
        "Database schema",
        "200 people, 26 roles",
        "Signing key",
        "Administrator: admin",
        "One-time password: ",
    ):
        assert words in first
        assert words not in again
    assert f"Swagger UI: http://127.0.0.1:{service.port}/docs" in first
    assert f"Swagger UI: http://127.0.0.1:{service.port}/docs" in again


def test_what_it_keeps_is_for_its_owner_alone(make: Make) -> None:
    service = make()
    service.start()
    kept = service.folder / "instance"
    assert {path.name for path in kept.iterdir()} >= {"rbac.db", "secret_key"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept.iterdir()} == {0o600}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700


def test_a_password_given_in_a_file_is_final_and_never_shown(make: Make, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(NEW_PASSWORD + "\n")
    service = make(
        measured=True,
        RBAC_ADMIN_PASSWORD_FILE=tmp_path / "password",
        RBAC_ADMIN_USERNAME="Åse",
        RBAC_DOCS="off",
    )
    service.start()
    tokens = sign_in(service, NEW_PASSWORD, "åse")
    assert tokens["password_change_required"] is False
    assert "Administrator: Åse, with the password you gave." in service.output()
    assert f"Serving at http://127.0.0.1:{service.port}" in service.output()
    assert service.terminate() == 0
    assert NEW_PASSWORD not in service.output()


REFUSALS: dict[str, tuple[dict[str, str], list[str]]] = {
    "several faults": (
        {
            "RBAC_DATABASE_URL": "postgresql://127.0.0.1/rbac", "RBAC_SECRET_KEY": "changeme",
            "RBAC_CORS_ORIGINS": "*", "RBAC_WORKERS": "many",
        },
        ["RBAC_SECRET_KEY", "RBAC_CORS_ORIGINS", "RBAC_WORKERS"],
    ),
    "no secret": ({"RBAC_DATABASE_URL": "postgresql://127.0.0.1/rbac"}, ["RBAC_SECRET_KEY is missing"]),
    "a poor password": ({"RBAC_ADMIN_PASSWORD": "short"}, ["RBAC_ADMIN_PASSWORD", "15 characters"]),
    "a file that is not there": ({"RBAC_ADMIN_PASSWORD_FILE": "/nowhere/password"}, ["RBAC_ADMIN_PASSWORD_FILE"]),
    "no folder for its data": ({"RBAC_DATA_DIR": "/dev/null/instance"}, ["RBAC_DATA_DIR"]),
    "a database that does not answer": (
        {"RBAC_DATABASE_URL": "postgresql://127.0.0.1:1/rbac", "RBAC_SECRET_KEY": SECRET},
        ["The database", "127.0.0.1", "port 1"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSALS)
def test_it_refuses_to_start_and_says_everything_that_is_wrong(make: Make, why: str) -> None:
    settings, words = REFUSALS[why]
    service = make(measured=True, **settings)
    service.start(wait=False)
    assert service.wait() == 1
    said = service.output()
    assert [word for word in words if word not in said] == []
    assert "Traceback" not in said
    assert "changeme" not in said


def started_together(services: list[Service]) -> list[str]:
    """What each wrote until all of them were ready."""
    with ThreadPoolExecutor(len(services)) as pool:
        list(pool.map(Service.start, services))
    return [service.output() for service in services]


def test_of_eight_nodes_that_start_at_once_exactly_one_makes_the_administrator(
    make: Make, postgres: PostgresServer
) -> None:
    url = postgres.create_database()
    same = {"RBAC_DATABASE_URL": url, "RBAC_SECRET_KEY": SECRET, "RBAC_ISSUER": "http://rbac.test"}
    nodes = [make(RBAC_WORKERS=1, **same) for _ in range(NODES)]

    said = started_together(nodes)

    shown = [password for output in said for password in re.findall("One-time password: (.+)", output)]
    assert len(shown) == 1
    with psycopg.connect(url) as connection:
        counts = "SELECT (SELECT count(*) FROM users), (SELECT count(*) FROM trail_events WHERE action = 'admin.created')"
        assert connection.execute(counts).fetchone() == (1, 1)
    assert sign_in(nodes[-1], shown[0])["password_change_required"] is True
    assert sign_in(nodes[0], PASSWORD)["code"] == "login.failed"


def test_of_several_that_start_at_once_in_one_folder_all_use_the_same_secret(
    make: Make, tmp_path: Path
) -> None:
    nodes = [make(RBAC_DATA_DIR=tmp_path / "instance", RBAC_ISSUER="http://rbac.test") for _ in range(3)]

    said = started_together(nodes)

    shown = [password for output in said for password in re.findall("One-time password: (.+)", output)]
    tokens = sign_in(nodes[0], shown[0])
    assert len(shown) == 1
    assert [once(node, "GET", "/v1/me", tokens["access_token"]).status for node in nodes] == [200] * 3
