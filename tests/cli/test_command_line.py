"""The real `flask` command: how it finds the application, what it says when there can be none, and its progress bars."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from flask import Flask
from flask.cli import FlaskGroup

from rbac_api.cli.commands import rbac
from rbac_api.cli.refused import explaining
from rbac_api.settings import SettingsRefused
from tests.builders import settings_for
from tests.cli.conftest import ROOT, Shell

Run = Callable[..., subprocess.CompletedProcess[str]]


def test_the_doctor_says_why_settings_are_refused(flask_command: Run) -> None:
    run = flask_command("rbac", "doctor", "--json", RBAC_SECRET_KEY="secret", RBAC_LOG_LEVEL="loud")
    assert run.returncode == 1
    found = [check["detail"] for check in json.loads(run.stdout)["checks"]]
    assert len(found) == 2
    assert "Traceback" not in run.stderr


def test_other_commands_refuse_in_plain_words(flask_command: Run) -> None:
    run = flask_command("rbac", "users", "list", RBAC_SECRET_KEY="secret")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("Error: The settings are refused:\n  - RBAC_SECRET_KEY")


def test_a_data_folder_that_cannot_be_made_is_a_refusal(flask_command: Run) -> None:
    run = flask_command("rbac", "doctor", RBAC_DATA_DIR="/dev/null/data")
    assert run.returncode == 1
    assert "RBAC_DATA_DIR cannot be used" in run.stdout
    assert "Traceback" not in run.stderr


def test_no_server_starts_with_refused_settings(flask_command: Run) -> None:
    run = flask_command("run", "--port", "1", RBAC_SECRET_KEY="secret")
    assert run.returncode == 1
    assert "SettingsRefused" in run.stderr


def test_outside_of_the_flask_command_a_refusal_stays_an_exception() -> None:
    def refuse() -> Flask:
        raise SettingsRefused(["for a reason"])

    with pytest.raises(SettingsRefused, match="for a reason"):
        explaining(refuse)


def test_a_fresh_clone_prints_its_openapi_document(flask_command: Run) -> None:
    run = flask_command("rbac", "openapi")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["info"]["title"] == "rbac-api"


def test_progress_is_drawn_on_a_terminal_and_stays_out_of_the_output(
    tmp_path: Path, shell_with: Callable[..., Shell]
) -> None:
    folder = tmp_path / "data"
    shell_with(settings_for("", secret_key="", data_dir=str(folder)))("init")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "flask", "rbac", "audit", "export", "-o", str(tmp_path / "trail")]
    environment = {**os.environ, "RBAC_DATA_DIR": str(folder)}
    run = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=theirs, timeout=300, check=True
    )
    os.close(theirs)
    drawn = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "Exporting" in drawn
    assert "100%" in drawn
    assert run.stdout == b""


def commands(
    command: click.Command, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group, with the words that lead to it."""
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from commands(below, (*path, name))
    else:
        yield path, command


@pytest.mark.parametrize(
    ("path", "command"),
    list(commands(rbac)),
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_no_command_meets_refused_settings_with_a_traceback(
    path: tuple[str, ...], command: click.Command, tmp_path: Path
) -> None:
    def refuse() -> Flask:
        raise SettingsRefused(["HOST must be an address of this machine"])

    (tmp_path / "given.yaml").write_text("{}")
    needed = [one for one in command.params if isinstance(one, click.Argument) or one.required]
    given = [
        word
        for one in needed
        for word in (
            *(one.opts[:1] if isinstance(one, click.Option) else ()),
            str(tmp_path / "given.yaml") if isinstance(one.type, click.Path | click.File) else "1",
        )
    ]
    with click.Context(FlaskGroup()):
        app = explaining(refuse)

    done = app.test_cli_runner().invoke(rbac, [*path, *given])

    assert isinstance(done.exception, SystemExit)
    assert "Traceback" not in done.output
    assert "HOST must be an address" in done.output or done.exit_code == 2
