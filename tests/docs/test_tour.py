"""The tour of the role model, typed into a real shell against the real server with the example company in it."""

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
def settings(tmp_path: Path) -> dict[str, str]:
    return {"RBAC_DATA_DIR": str(tmp_path / "instance"), "RBAC_SEED_EXAMPLE": "on"}


@pytest.fixture
def service(tmp_path: Path, settings: dict[str, str]) -> Iterator[Service]:
    """The product as ``make run`` starts it, with an empty data folder."""
    started = Service(tmp_path, settings, warm=True)
    started.start()
    yield started
    started.end()


def typed(document: str, service: Service, settings: dict[str, str]) -> list[str]:
    """What goes wrong when a reader with an ordinary environment types a document."""
    one_time = re.search(r"One-time password: (\S+)", service.output())
    assert one_time, service.output()
    places = {
        "http://127.0.0.1:8000": f"http://127.0.0.1:{service.port}",
        "the one-time password": one_time[1],
        ".venv/bin/rbac-api": f"{sys.executable} -m rbac_api",
    }
    ordinary = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return play(ROOT / document, Shell(ROOT, {**ordinary, **settings}), places)


def test_everything_on_the_tour_is_true(service: Service, settings: dict[str, str]) -> None:
    assert not (wrong := typed("docs/tour.md", service, settings)), "\n\n".join(wrong)


def test_the_tour_is_as_true_after_the_readme(service: Service, settings: dict[str, str]) -> None:
    for document in ("README.md", "docs/tour.md"):
        assert not (wrong := typed(document, service, settings)), "\n\n".join(wrong)


PROMISED = (
    "policy plan", "/v1/policy/apply", "constraint.violated", "/v1/me/activations/", "/access?permission=", "?at=", "/v1/policy/revert",
    "without_reason", "/suggestion", "/erasure", "--checkpoint", "Refused at the border",
)  # fmt: skip


def test_the_tour_leaves_nothing_out() -> None:
    text = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")

    assert [shown for shown in PROMISED if shown not in text] == []
