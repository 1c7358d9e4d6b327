"""The wheels of this repository, built as a release is, and environments that have them and nothing of the clone.

Building and installing take packages from the index that uv is configured for, and most of them from uv's cache.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from tests.patience import eventually
from tests.servers.places import free_port
from tests.servers.supervisor import Order, Supervised

ROOT = Path(__file__).parents[2]
SOURCES = ("rbac_api", "rbac_verifier", "migrations", "seed_data", "pyproject.toml", "README.md", "LICENSE")
MADE = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
PATH = "/usr/bin:/bin"


class NotInstalled(RuntimeError):
    """A wheel could not be built or installed; the message is what uv said, and what it needs."""


def uv(*words: object) -> None:
    """Run the uv of ``make``, or the one on the PATH."""
    made = [base / ".tools" / "bin" / "uv" for base in (ROOT, Path(sys.prefix).resolve().parent)]
    found = next((str(path) for path in made if path.exists()), shutil.which("uv"))
    if found is None:
        raise NotInstalled("uv is missing; `make test` installs it into .tools")
    kept = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    command = [found, *map(str, words)]
    done = subprocess.run(
        command, cwd=ROOT, env=kept, capture_output=True, text=True, timeout=600, check=False
    )
    if done.returncode:
        raise NotInstalled(
            f"{' '.join(command)} failed. This test installs packages: it needs uv's cache or a package index.\n{done.stderr}"
        )


def build_wheels(folder: Path) -> Path:
    """Both wheels, built from a copy without anything that is not committed."""
    for name in SOURCES:
        source, target = ROOT / name, folder / "clone" / name
        if source.is_dir():
            shutil.copytree(source, target, symlinks=True, ignore=MADE)
        else:
            shutil.copy(source, target)
    for distribution in ("", "rbac_verifier"):
        constraints = ("--build-constraints", ROOT / "requirements" / "tools.lock")
        uv(
            "build",
            "--quiet",
            "--wheel",
            *constraints,
            "-o",
            folder / "wheels",
            folder / "clone" / distribution,
        )
    return folder / "wheels"


@dataclass
class Environment:
    """A virtual environment, and an empty folder in which its programs run with no variables but those given."""

    place: Path
    work: Path

    def install(self, *words: object) -> None:
        uv("pip", "install", "--quiet", "--python", self.place / "bin" / "python", *words)

    def run(self, program: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """A program of the environment that ends by itself."""
        command = [str(self.place / "bin" / program), *words]
        return subprocess.run(
            command, cwd=self.work, env=self._variables(variables), capture_output=True, text=True, timeout=300, check=False
        )  # fmt: skip

    def serve(self, path: str, program: str, *words: str, **variables: str) -> Served:
        """A program of the environment that serves; ``{port}`` in its words is a free one.  Returns once ``path`` answers."""
        port = free_port()
        command = [str(self.place / "bin" / program), *(word.format(port=port) for word in words)]
        folder = self.work / f"log-{port}"
        folder.mkdir()
        shell = ["/bin/sh", "-c", 'cd "$0" && exec "$@"', str(self.work), *command]
        order = Order(shell, str(folder), environment=self._variables(variables))
        found = Served(f"http://127.0.0.1:{port}", Supervised(order))
        assert eventually(lambda: found.answers(path)), found.process.log()
        return found

    def _variables(self, given: Mapping[str, str]) -> dict[str, str]:
        return {"PATH": PATH, "HOME": str(self.work), **given}


@dataclass
class Served:
    """A running server."""

    url: str
    process: Supervised

    def answers(self, path: str) -> bool:
        if not self.process.alive:
            raise AssertionError(self.process.log())
        try:
            return requests.get(f"{self.url}{path}", timeout=30).status_code < 500
        except requests.ConnectionError:
            return False

    def get(self, path: str, token: str | None = None) -> requests.Response:
        return self._send("GET", path, token)

    def post(self, path: str, token: str | None = None, json: Any = None) -> requests.Response:
        return self._send("POST", path, token, json)

    def _send(self, method: str, path: str, token: str | None, json: Any = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return requests.request(method, f"{self.url}{path}", headers=headers, json=json, timeout=60)


def make_environment(folder: Path) -> Environment:
    """An empty environment, of the Python that runs the tests."""
    found = Environment(folder / "environment", folder / "empty")
    found.work.mkdir(parents=True)
    uv("venv", "--quiet", "--python", sys.executable, found.place)
    return found
