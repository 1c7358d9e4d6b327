"""The container file, the compose file and the unit of systemd start what is there, with settings that are taken."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from rbac_api.cli.commands import COMMANDS
from rbac_api.settings import Settings
from tests.servers.places import server_folder
from tests.servers.postgres import PostgresServer
from tests.servers.service import Service

pytestmark = pytest.mark.outside

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text(encoding="utf-8")


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    return found


def settings_named() -> set[str]:
    """The names of all settings, and of the files that secrets may come from."""
    known = [one.metadata for one in fields(Settings)]
    return {
        name
        for one in known
        for name in (one["name"], f"{one['name']}_FILE")
        if name == one["name"] or one["secret"]
    }


def lines(instruction: str) -> list[str]:
    """The arguments of each of these instructions of the container file."""
    return re.findall(rf"^{instruction} (.*)$", CONTAINERFILE.replace("\\\n", " "), re.MULTILINE)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A folder with what the container file copies, and nothing else."""
    for arguments in lines("COPY"):
        *sources, target = arguments.split()
        if sources[0].startswith("--from"):
            continue
        for source in sources:
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, tmp_path / target, symlinks=True)
            else:
                (tmp_path / target).mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, tmp_path / target)
    return tmp_path


@pytest.fixture
def nodes() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def test_what_the_container_holds_is_enough_to_serve_and_to_be_found_healthy(
    image: Path, nodes: ExitStack
) -> None:
    program, *arguments = json.loads(lines("CMD")[-1])
    settings = dict(pair.split("=") for pair in lines("ENV")[0].split())
    given = {
        **settings,
        "RBAC_DATA_DIR": str(image / "data"),
        "HOST": "127.0.0.1",
        "PORT": "",
        "RBAC_SEED_EXAMPLE": "off",
    }
    (image / "data").mkdir(mode=0o700)
    node = Service(image, {name: value for name, value in given.items() if value}, *arguments)
    nodes.callback(node.end)
    node.start()

    [_, *check] = json.loads(re.search(r"HEALTHCHECK.*?CMD (\[.*?\])\n", CONTAINERFILE, re.DOTALL)[1])  # type: ignore[index]
    check[-1] = check[-1].replace("8000", str(node.port))

    assert program == ".venv/bin/python"
    assert subprocess.run([sys.executable, *check], check=False).returncode == 0
    loaded = requests.get(f"http://127.0.0.1:{node.port}/openapi.json", timeout=30)
    assert loaded.status_code == 200
    node.terminate()
    assert subprocess.run([sys.executable, *check], check=False, stderr=subprocess.DEVNULL).returncode != 0


OWN_FILES = """
import sys
import rbac_api.cli.serve, rbac_api.factory, rbac_api.verifier
print(*(module.__file__ for name, module in sys.modules.items() if name.startswith("rbac_")), sep="\\n")
"""


def test_the_container_holds_every_package_of_this_repository_that_is_imported(image: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OWN_FILES], cwd=image, capture_output=True, text=True, check=True
    )

    files = done.stdout.split()

    assert len(files) > 100
    assert [file for file in files if not Path(file).is_relative_to(image)] == []


def secrets_as_documented(folder: Path) -> dict[str, str]:
    """What the commands of deploy/README.md make: name of the secret → its text."""
    text = (DEPLOY / "README.md").read_text(encoding="utf-8")
    [commands] = re.findall(r"^```sh\n(mkdir -p deploy/secrets.*?)^```", text, re.DOTALL | re.MULTILINE)
    subprocess.run(["bash", "-euc", commands], cwd=folder, check=True)
    made = folder / "deploy" / "secrets"
    assert made.stat().st_mode & 0o777 == 0o700
    return {path.name: path.read_text(encoding="utf-8") for path in made.iterdir()}


def test_two_nodes_start_together_as_the_compose_file_says_and_are_one_service(
    tmp_path: Path, postgres: PostgresServer, nodes: ExitStack
) -> None:
    secrets = secrets_as_documented(tmp_path)
    file = compose()
    password = secrets["postgres_password"]
    assert secrets["database_url"] == f"postgresql://rbac:{password}@postgres/rbac"
    assert {**file["secrets"]} == {name: {"file": f"./secrets/{name}"} for name in secrets}
    (tmp_path / "deploy" / "secrets" / "database_url").write_text(postgres.create_database())
    started = [node_of(file["services"][name], tmp_path) for name in ("node-1", "node-2")]
    for node in started:
        nodes.callback(node.end)
        node.start(wait=False)
    for node in started:
        node.wait_until_ready()

    first, second = (f"http://127.0.0.1:{node.port}" for node in started)
    login = {"username": "admin", "password": secrets["admin_password"]}
    by_proxy = {
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "127.0.0.1:8000",
    }
    answer = requests.post(f"{first}/v1/auth/login", json=login, headers=by_proxy, timeout=30)
    signed_in = {"Authorization": f"Bearer {answer.json()['access_token']}", **by_proxy}

    assert requests.get(f"{second}/v1/me", headers=signed_in, timeout=30).json()["username"] == "admin"
    [session] = requests.get(f"{second}/v1/me/sessions", headers=signed_in, timeout=30).json()["items"]
    assert session["ip"] == "203.0.113.7"


def node_of(service: dict[str, Any], folder: Path) -> Service:
    """A node with the settings of the compose file and of the container file; secrets lie in another folder here."""
    image = dict(pair.split("=") for pair in lines("ENV")[0].split())
    given = {**image, **{name: str(value) for name, value in service["environment"].items()}}
    own = server_folder("node")
    changed = {
        "PORT": "",
        "HOST": "127.0.0.1",
        "RBAC_DATA_DIR": str(own),
        "RBAC_ISSUER": "http://127.0.0.1:8000",
    }
    settings = {
        name: value.replace("/run/secrets", str(folder / "deploy" / "secrets"))
        for name, value in {**given, **changed}.items()
        if value
    }
    return Service(own, {**settings, "PYTHONPATH": str(ROOT)}, *json.loads(lines("CMD")[-1])[1:])


def test_the_compose_file_fits_together() -> None:
    file = compose()
    proxy = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
    upstream = set(re.findall(r"^\s+server ([\w-]+):8000;", proxy, re.MULTILINE))

    assert upstream == {name for name in file["services"] if name.startswith("node-")}
    for service in file["services"].values():
        assert set(service.get("secrets", [])) <= set(file["secrets"])
        assert set(service.get("depends_on", {})) <= set(file["services"])
    node = file["services"]["node-1"]
    assert (DEPLOY / node["build"]["context"] / node["build"]["dockerfile"]).exists()
    assert not set(node["environment"]) - settings_named()
    hops = int(node["environment"]["RBAC_PROXY_HOPS"])
    assert hops == 1
    assert "proxy_set_header X-Forwarded-For $remote_addr;" in proxy


def unit() -> dict[str, list[str]]:
    """Every line of the unit's sections: name → values."""
    found: dict[str, list[str]] = {}
    for line in (DEPLOY / "systemd" / "rbac-api.service").read_text(encoding="utf-8").splitlines():
        if line and line[0] not in "#[":
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_starts_a_command_that_there_is_with_settings_that_there_are() -> None:
    program, command, *rest = unit()["ExecStart"][0].split()
    examples = (DEPLOY / "systemd" / "environment.example").read_text(encoding="utf-8")
    named = {
        line.partition("=")[0]
        for line in [*unit()["Environment"], *examples.splitlines()]
        if line[:1].isupper()
    }
    credentials = dict(one.split(":") for one in unit()["LoadCredential"])
    given = {value.partition("%d/")[2] for value in unit()["Environment"] if "%d/" in value}

    assert program.removeprefix("/opt/rbac-api/") == ".venv/bin/rbac-api"
    assert command in COMMANDS
    assert rest == []
    assert not named - settings_named()
    assert given == set(credentials)
    assert unit()["WorkingDirectory"] == ["/opt/rbac-api"]
    documentation = unit()["Documentation"][0].removeprefix("file:///opt/rbac-api/")
    assert (ROOT / documentation).exists()


def test_the_command_of_the_unit_is_the_one_that_is_installed() -> None:
    projects = configparser.ConfigParser(strict=False)
    projects.read_string(
        "[x]\n"
        + re.search(r"\[project\.scripts\]\n(.*?)\n\n", (ROOT / "pyproject.toml").read_text(), re.DOTALL)[1]
    )  # type: ignore[index]

    assert Path(unit()["ExecStart"][0].split()[0]).name in projects["x"]
    assert os.access(Path(sys.executable).parent / "rbac-api", os.X_OK)
