"""A shell on the stage: `rbac-api …` against the application that the cast is signed in to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask

from rbac_api.cli.commands import rbac
from rbac_api.factory import close_app, create_app
from rbac_api.settings import Settings
from tests.builders import Stage

ROOT = Path(__file__).parents[2]


class Shell:
    """Whoever sits at the machine. Called with the words after `rbac-api`."""

    def __init__(self, app: Flask) -> None:
        self.app = app

    def __call__(self, *words: str, typed: str | None = None) -> Result:
        with self.app.app_context():
            result = CliRunner().invoke(rbac, words, input=typed)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def json(self, *words: str, code: int = 0) -> Any:
        """The JSON that a command prints, which ends with this exit code."""
        result = self(*words, "--json")
        assert result.exit_code == code, result.output
        assert result.stdout, result.stderr
        return json.loads(result.stdout)

    def refusal(self, *words: str, code: int = 1) -> str:
        """What a command says on standard error when it refuses."""
        result = self(*words)
        assert result.exit_code == code, result.output
        assert not result.stdout
        return result.stderr


@pytest.fixture
def shell(stage: Stage) -> Shell:
    """A shell on the stage's application, with the first scene in the database."""
    return Shell(stage.app)


@pytest.fixture
def shell_with() -> Iterator[Callable[[Settings], Shell]]:
    """Makes shells with settings of their own; the schema is looked at by each command."""
    made: list[Flask] = []

    def make(settings: Settings) -> Shell:
        made.append(create_app(settings, check_database=False))
        return Shell(made[-1])

    yield make
    for app in made:
        close_app(app)


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a program in the repository's root, with nothing set but what is given and a data folder."""

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLASK_", "RBAC_"))}
        environment = {**kept, "RBAC_DATA_DIR": str(tmp_path / "data"), **variables}
        return subprocess.run(
            [sys.executable, "-m", *words],
            cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip

    return run
