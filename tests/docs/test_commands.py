"""Every command of the documents is typed by some test, or stands here with the reason why not."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.cast import PASSWORD
from tests.docs.console import Shell, steps
from tests.patience import eventually
from tests.servers.places import free_port
from tests.servers.service import Service
from tests.servers.supervisor import Order, Supervised

pytestmark = pytest.mark.outside

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *(path.name for path in ROOT.glob("*.md")),
    *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
    "deploy/README.md",
    *(str(path.relative_to(ROOT)) for path in (ROOT / "examples").glob("*/README.md")),
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
TYPED = {  # console blocks, output and all
    "README.md": "tests/docs/test_readme.py",
    "docs/tour.md": "tests/docs/test_tour.py",
    "docs/decorators.md": "here",
    "docs/verifier.md": "here",
    "docs/backup.md": "tests/docs/test_backup.py",
    "docs/upgrading.md": "tests/docs/test_backup.py",
}
# Shell blocks by their first words: who types them, or why nobody does.
SHELL = {
    "make run ": "tests/docs/test_readme.py starts what it starts; installing again would take the tests' own packages away",
    "python3 -m pip wheel ": "tests/contract/test_installed.py builds the wheels, installs them and serves, with uv in place of pip",
    "RBAC_DATABASE_URL=postgresql://rbac:": "names a host of its reader's; tests/cli starts the service on PostgreSQL",
    'curl -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" $BASE/v1/service-accounts': "here",
    'curl -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" $BASE/v1/sessions': "here",
    ".venv/bin/rbac-api doctor": "here",
    "mkdir -p deploy/secrets": "tests/deploy/test_nodes.py",
    "cd examples/": "tests/examples/test_examples.py, but for the installation, which is its own",
    "podman compose": "needs containers; tests/deploy/test_nodes.py starts two nodes with the settings of the file",
    ".venv/bin/rbac-api can ": "tests/cli/test_questions.py",
    "systemctl enable": "changes the machine; tests/deploy/test_nodes.py reads the unit and starts what it starts",
}


def blocks(language: str) -> list[tuple[str, str]]:
    """Document and content of every block in a language."""
    texts = ((name, (ROOT / name).read_text(encoding="utf-8")) for name in DOCUMENTS)
    return [(name, body) for name, text in texts for kind, body in BLOCK.findall(text) if kind == language]


def shell_block(start: str) -> list[str]:
    """The commands of a block, without comments, each on one line."""
    [body] = [body for _, body in blocks("sh") if body.startswith(start)]
    return [re.sub(r"\s+# .*", "", line) for line in body.replace("\\\n", " ").splitlines()]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("documented")
    started = Service(
        folder, {"RBAC_DATA_DIR": str(folder / "instance"), "RBAC_ADMIN_PASSWORD": PASSWORD}, warm=True
    )
    started.start()
    yield started
    started.end()


@pytest.fixture(scope="module")
def ordinary(service: Service) -> dict[str, str]:
    """The environment of an ordinary user, who has a service running."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **kept,
        "RBAC_DATA_DIR": str(service.folder / "instance"),
        "RBAC_ISSUER": f"http://127.0.0.1:{service.port}",
    }


@pytest.fixture(scope="module")
def shell(service: Service, ordinary: dict[str, str]) -> Iterator[Shell]:
    """One in which BASE and TOKEN are set, as the documents expect."""
    host = f"http://127.0.0.1:{service.port}"
    login = {"username": "admin", "password": PASSWORD}
    token = requests.post(f"{host}/v1/auth/login", json=login, timeout=30).json()["access_token"]
    change = {"current_password": PASSWORD, "new_password": f"{PASSWORD}, changed"}
    signed_in = {"Authorization": f"Bearer {token}"}
    requests.post(f"{host}/v1/me/password", json=change, headers=signed_in, timeout=30)
    requests.post(f"{host}/v1/roles", json={"name": "accountant"}, headers=signed_in, timeout=30)
    opened = Shell(ROOT, {**ordinary, "BASE": host, "TOKEN": token})
    yield opened
    opened.close()


def status_of(url: str) -> int | None:
    """None until somebody listens there."""
    try:
        return requests.get(url, timeout=30).status_code
    except requests.ConnectionError:
        return None


def test_every_block_is_typed_or_excused() -> None:
    assert {name for name, _ in blocks("console")} == set(TYPED)
    found = [(start, body) for _, body in blocks("sh") for start in SHELL if body.startswith(start)]
    assert [start for start, _ in found] != []
    assert sorted(body for _, body in found) == sorted(body for _, body in blocks("sh"))
    assert {start for start, _ in found} == set(SHELL)


def test_a_service_account_gets_a_token_and_sessions_are_counted(shell: Shell) -> None:
    make, give, secret, token = shell_block([*SHELL][3])
    found = re.search(r'"id":\s*"([0-9a-f-]{36})"', shell.type(f"{make} -sS"))
    assert found
    shell.type(f"ID={found[1]}")
    assert '"accountant"' in shell.type(f"{give} -sS")
    made = re.search(r'"client_secret":\s*"([^"]+)"', shell.type(f"{secret} -sS"))
    assert made
    shell.type(f"SECRET='{made[1]}'")
    assert '"access_token"' in shell.type(f"{token} -sS")

    count, end = shell_block([*SHELL][4])

    assert '"count":0' in shell.type(f"{count} -sS").replace(" ", "")
    assert '"status":409' in shell.type(f"{end} -sS").replace(" ", "")


def test_doctor_and_recovery_run_from_the_clone(shell: Shell) -> None:
    for line in shell_block([*SHELL][5]):
        command = line.replace(".venv/bin/rbac-api", f"{sys.executable} -m rbac_api").replace("NAME", "admin")

        printed = shell.type(f"{command} 2>&1").strip()

        assert printed
        assert "Traceback" not in printed, printed
        assert "Usage:" not in printed
    assert "password" in printed


@pytest.mark.parametrize(
    ("document", "path", "status"),
    [("docs/decorators.md", "/invoices/help", 200), ("docs/verifier.md", "/orders", 401)],
)
def test_an_example_runs_from_the_clone_as_its_page_says(
    ordinary: dict[str, str], tmp_path: Path, document: str, path: str, status: int
) -> None:
    [step] = steps(ROOT / document)
    port = free_port()
    command = re.sub(r"--port \d+", f"--port {port}", step.command).replace(
        "http://127.0.0.1:8000", ordinary["RBAC_ISSUER"]
    )
    command = command.replace(".venv/bin/flask", f"exec {Path(sys.executable).parent / 'flask'}")
    running = Supervised(
        Order(["bash", "-c", f"cd {ROOT} && {command}"], str(tmp_path), environment=ordinary)
    )

    answered = eventually(lambda: status_of(f"http://127.0.0.1:{port}{path}") == status)

    said = (tmp_path / "log").read_text()
    running.end()
    assert answered, said
