"""The README's five minutes, typed into a real shell against the real server."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.console import Shell, play
from tests.servers.service import Service

pytestmark = pytest.mark.outside

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """The product as ``make run`` starts it, with an empty data folder and the default settings."""
    started = Service(tmp_path, {"RBAC_DATA_DIR": str(tmp_path / "instance")})
    started.start()
    yield started
    started.end()


def test_the_five_minutes_are_true(service: Service, tmp_path: Path) -> None:
    one_time = re.search(r"One-time password: (\S+)", service.output())
    assert one_time, service.output()
    places = {
        "http://127.0.0.1:8000": f"http://127.0.0.1:{service.port}",
        "the one-time password": one_time[1],
        ".venv/bin/rbac-api": f"{sys.executable} -m rbac_api",
    }
    environment = {**os.environ, "RBAC_DATA_DIR": str(tmp_path / "instance")}

    wrong = play(ROOT / "README.md", Shell(ROOT, environment), places)

    assert not wrong, "\n\n".join(wrong)
