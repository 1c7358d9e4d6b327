"""Fixtures for passwords."""

from __future__ import annotations

import pytest

from tests.builders import Stage
from tests.capabilities.passwords.spy import Spy, watch


@pytest.fixture
def spy(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Spy:
    """bcrypt, watched."""
    return watch(stage, monkeypatch)
