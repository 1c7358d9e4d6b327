"""The README's five minutes, typed into a real shell against the real server."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.console import Shell, steps
from tests.servers.service import Service, start_service

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """The product as ``make run`` starts it, with an empty data folder and the default settings."""
    started = start_service({"RBAC_DATA_DIR": str(tmp_path / "instance")})
    yield started
    started.stop()


def test_the_five_minutes_are_true(service: Service, tmp_path: Path) -> None:
    one_time = re.search(r"One-time password: (\S+)", service.output())
    assert one_time, service.output()
    places = {"BASE=http://127.0.0.1:8000": f"BASE={service.url}", "'the one-time password'": f"'{one_time[1]}'"}
    environment = {**os.environ, "RBAC_DATA_DIR": str(tmp_path / "instance"), "FLASK_APP": "app.py"}
    shell = Shell(ROOT, environment)

    wrong = []
    for step in steps(ROOT / "README.md"):
        command = step.command.replace(".venv/bin/flask", f"{sys.executable} -m flask")
        for shown, real in places.items():
            command = command.replace(shown, real)
        printed = shell.type(command)
        expected = step if service.url.endswith(":8000") else type(step)(step.command, step.expected.replace("http://127.0.0.1:8000", service.url))
        if not expected.fits(printed):
            wrong.append(f"$ {command}\nexpected:\n{step.expected}\nprinted:\n{printed}")
    shell.close()

    assert not wrong, "\n\n".join(wrong)
