"""The stage on one engine alone, for what only that engine has."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import Stage


@pytest.fixture
def troupe(stages: Any) -> Stage:
    """PostgreSQL."""
    found: Stage = stages.get("postgresql")
    found.reset()
    return found
