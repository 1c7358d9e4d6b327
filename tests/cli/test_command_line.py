"""The real `rbac-api` command and its alias `flask rbac`: what they say when settings are refused, and their progress bars."""

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
from click.testing import CliRunner
from sqlalchemy import text

from rbac_api.cli.commands import rbac
from rbac_api.cli.start import FIGURES, remove
from rbac_api.resources import release
from tests.builders import Stage, settings_for
from tests.cast import DAVE
from tests.cli.conftest import ROOT, Shell

pytestmark = pytest.mark.outside

Run = Callable[..., subprocess.CompletedProcess[str]]


PROGRAMS = pytest.mark.parametrize("program", [("rbac_api",), ("flask", "rbac")], ids=" ".join)


@PROGRAMS
def test_the_doctor_says_why_settings_are_refused(command: Run, program: tuple[str, ...]) -> None:
    run = command(*program, "doctor", "--json", RBAC_SECRET_KEY="secret", RBAC_LOG_LEVEL="loud")
    assert run.returncode == 1
    found = [check["detail"] for check in json.loads(run.stdout)["checks"]]
    assert len(found) == 2
    assert "Traceback" not in run.stderr


@PROGRAMS
def test_other_commands_refuse_in_plain_words(command: Run, program: tuple[str, ...]) -> None:
    run = command(*program, "users", "list", RBAC_SECRET_KEY="secret")
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.startswith("Error: The settings are refused:\n  - RBAC_SECRET_KEY")


def test_a_data_folder_that_cannot_be_made_is_a_refusal(command: Run) -> None:
    run = command("rbac_api", "doctor", RBAC_DATA_DIR="/dev/null/data")
    assert run.returncode == 1
    assert "RBAC_DATA_DIR cannot be used" in run.stdout
    assert "Traceback" not in run.stderr


def test_no_server_starts_with_refused_settings(command: Run) -> None:
    run = command("flask", "run", "--port", "1", RBAC_SECRET_KEY="secret")
    assert run.returncode == 1
    assert "SettingsRefused" in run.stderr


@PROGRAMS
def test_a_fresh_clone_prints_its_openapi_document(command: Run, program: tuple[str, ...]) -> None:
    run = command(*program, "openapi")
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["info"]["title"] == "rbac-api"


@PROGRAMS
def test_an_empty_data_folder_is_set_up_and_examined(command: Run, program: tuple[str, ...]) -> None:
    made = command(*program, "init", RBAC_SEED_EXAMPLE="off")
    assert made.returncode == 0, made.stderr
    assert "one-time password" in made.stdout
    listed = command(*program, "users", "list", "--json")
    assert [user["username"] for user in json.loads(listed.stdout)] == ["admin"]


def test_the_release_is_printed(command: Run) -> None:
    assert command("rbac_api", "--version").stdout == f"rbac-api {release()}\n"


def test_an_unknown_command_is_a_usage_error(command: Run) -> None:
    run = command("rbac_api", "sirve")
    assert run.returncode == 2
    assert "No such command 'sirve'" in run.stderr


def test_serve_is_the_first_to_load_what_counts_requests() -> None:
    """prometheus-client looks once for the folder that the workers share."""
    asks = "import sys, rbac_api.cli.commands, rbac_api.cli.start; print('prometheus_client' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", asks], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout == "False\n"


@pytest.mark.parametrize("given", [True, False])
def test_a_folder_for_figures_is_made_and_removed_unless_one_is_given(
    command: Run, tmp_path: Path, given: bool
) -> None:
    (tmp_path / "figures").mkdir()
    folder = {FIGURES: str(tmp_path / "figures")} if given else {}

    run = command("rbac_api", "serve", HOST="192.0.2.1", TMPDIR=str(tmp_path), **folder)

    assert run.returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["figures"]


def test_a_worker_that_ends_leaves_the_folder_for_figures_to_the_process_that_made_it(tmp_path: Path) -> None:
    remove(str(tmp_path), os.getpid() + 1)
    assert tmp_path.exists()

    remove(str(tmp_path), os.getpid())

    assert not tmp_path.exists()


def test_serve_takes_host_and_port_from_its_options(command: Run) -> None:
    run = command("rbac_api", "serve", "--host", "192.0.2.1", "--port", "eighty", HOST="127.0.0.1", PORT="1")
    assert run.returncode == 1
    assert "PORT must be a whole number" in run.stderr


def test_progress_is_drawn_on_a_terminal_and_stays_out_of_the_output(
    tmp_path: Path, shell_with: Callable[..., Shell]
) -> None:
    folder = tmp_path / "data"
    shell_with(settings_for("", secret_key="", data_dir=str(folder)))("init")
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "rbac_api", "audit", "export", "-o", str(tmp_path / "trail")]
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
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, (*path, name))
    else:
        yield path, command


@pytest.mark.parametrize(
    ("path", "command"),
    list(commands(rbac)),
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_no_command_meets_refused_settings_with_a_traceback(
    path: tuple[str, ...], command: click.Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOST", "not a host")
    monkeypatch.setenv("RBAC_DATA_DIR", str(tmp_path / "data"))
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

    done = CliRunner().invoke(rbac, [*path, *given])

    assert isinstance(done.exception, SystemExit)
    assert "Traceback" not in done.output
    assert "HOST must be an address" in done.output or done.exit_code == 2
    assert not (tmp_path / "data").exists()


def test_what_the_database_objects_to_is_said_in_its_words(shell: Shell, stage: Stage) -> None:
    begin = stage.guard.database.engine.begin
    with begin() as connection:
        connection.execute(text("CREATE UNIQUE INDEX only_one ON users (status) WHERE status = 'disabled'"))
    try:
        said = shell.refusal("users", "disable", DAVE.username)  # Mallory is disabled already
    finally:
        with begin() as connection:
            connection.execute(text("DROP INDEX only_one"))

    assert said.startswith("Error: The database reports: ")
    assert "rbac-api doctor" in said
