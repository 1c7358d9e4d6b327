"""docs/backup.md and docs/upgrading.md, typed into a real shell beside a real node, on both engines."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from rbac_api.database import migrate
from rbac_api.database.engine import Database
from tests.builders import settings_for
from tests.cast import PASSWORD
from tests.docs.console import Shell, play_steps, steps_in
from tests.servers.places import server_folder
from tests.servers.postgres import PostgresServer, find_postgres, start_postgres
from tests.servers.service import SETTINGS, Service

pytestmark = pytest.mark.outside

ROOT = Path(__file__).resolve().parents[2]
TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
PLACES = {".venv/bin/rbac-api": f"{sys.executable} -m rbac_api"}
BEFORE_LAST = "**A restored database does not know"


def part(document: str, heading: str, engine: str) -> str:
    """A section of a page, without what is for the other engine alone."""
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    [section] = re.findall(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    [other] = {*TITLES.values()} - {TITLES[engine]}
    return re.sub(rf"^### {other}\n.*?(?=^### |\Z)", "", section, flags=re.DOTALL | re.MULTILINE)


@dataclass
class Installation:
    """One node in a folder of its own, and a shell beside it."""

    folder: Path
    settings: dict[str, str]
    shell: Shell
    nodes: list[Service] = field(default_factory=list)

    def start(self, **changes: str) -> str:
        """Start the node; its address."""
        self.nodes.append(Service(self.folder, {**self.settings, **changes}))
        self.nodes[-1].start()
        return f"http://127.0.0.1:{self.nodes[-1].port}"

    def stop(self) -> None:
        self.nodes[-1].terminate()

    def play(self, text: str) -> None:
        wrong = play_steps(steps_in(text), self.shell, PLACES)
        assert not wrong, "\n\n".join(wrong)


@pytest.fixture(scope="module")
def durable() -> Iterator[PostgresServer]:
    """A server about which the commands have nothing to warn."""
    server = start_postgres(durable=True)
    yield server
    server.stop()


@pytest.fixture
def installation(engine: str, request: pytest.FixtureRequest) -> Iterator[Installation]:
    folder = server_folder("backup")
    settings = {**SETTINGS, "RBAC_DATA_DIR": str(folder / "instance")}
    server: PostgresServer | None = None
    if engine == "postgresql":
        server = request.getfixturevalue("durable")
        settings["RBAC_DATABASE_URL"] = server.create_database()
    (folder / "instance").mkdir(mode=0o700)
    path = f"{find_postgres()}{os.pathsep}{os.environ['PATH']}"
    shell = Shell(folder, {**settings, "PATH": path, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"})
    made = Installation(folder, settings, shell)
    yield made
    shell.close()
    for node in made.nodes[-1:]:  # those before are stopped, in the same folder
        node.end()
    if server is not None:
        server.drop_database(settings["RBAC_DATABASE_URL"])
        server.drop_database(settings["RBAC_DATABASE_URL"].rpartition("/")[0] + "/rbac_restored")


def sign_in(address: str) -> dict[str, str]:
    login = {"username": "admin", "password": PASSWORD}
    token = requests.post(f"{address}/v1/auth/login", json=login, timeout=30).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


def create_role(address: str, headers: dict[str, str], name: str) -> None:
    answer = requests.post(f"{address}/v1/roles", json={"name": name}, headers=headers, timeout=30)
    assert answer.status_code == 201, answer.text


def roles(address: str, headers: dict[str, str]) -> set[str]:
    found: list[dict[str, Any]] = requests.get(f"{address}/v1/roles", headers=headers, timeout=30).json()[
        "items"
    ]
    return {role["name"] for role in found}


def status(address: str, headers: dict[str, str]) -> int:
    return requests.get(f"{address}/v1/me", headers=headers, timeout=30).status_code


def test_a_backup_is_restored_as_the_page_says(installation: Installation, engine: str) -> None:
    address = installation.start()
    signed_out, signed_in = sign_in(address), sign_in(address)
    create_role(address, signed_in, "kept")
    installation.play(part("backup.md", "Making a backup", engine))
    create_role(address, signed_in, "lost")
    requests.post(f"{address}/v1/auth/logout", headers=signed_out, timeout=30)
    assert status(address, signed_out) == 401
    installation.stop()
    restoring, _, ending = part("backup.md", "Restoring", engine).partition(BEFORE_LAST)

    installation.play(restoring)
    address = installation.start(**restored(installation.settings))
    assert status(address, signed_out) == 200  # what the page warns of
    installation.stop()
    installation.play(ending)
    address = installation.start(**restored(installation.settings))

    assert [status(address, headers) for headers in (signed_out, signed_in)] == [401, 401]
    assert {"kept", "lost"} & roles(address, sign_in(address)) == {"kept"}


def restored(settings: dict[str, str]) -> dict[str, str]:
    url = settings.get("RBAC_DATABASE_URL")
    return {"RBAC_DATABASE_URL": f"{url.rpartition('/')[0]}/rbac_restored"} if url else {}


def test_a_database_of_an_earlier_schema_is_upgraded_as_the_page_says(
    installation: Installation, engine: str
) -> None:
    address = installation.start()
    create_role(address, sign_in(address), "kept")
    installation.stop()
    migrate_back(installation.settings)

    installation.play(part("upgrading.md", "Steps", engine))
    address = installation.start()

    assert "kept" in roles(address, sign_in(address))


def migrate_back(settings: dict[str, str]) -> None:
    """To the revision before the newest, as an earlier release would have left it."""
    url = settings.get("RBAC_DATABASE_URL", f"sqlite:///{settings['RBAC_DATA_DIR']}/rbac.db")
    database = Database(settings_for(url))
    head = migrate.head_revision()
    migrate.downgrade(database, f"{int(head) - 1:04}")
    database.dispose()
