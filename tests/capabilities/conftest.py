"""Fixtures for the capabilities: a clock that stands still until it is moved, and as many nodes as the engine allows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine

from tests.builders import OpenNode, Stage


@pytest.fixture
def frozen() -> Iterator[time_machine.Traveller]:
    """Time stands still at the present moment; ``frozen.shift(seconds)`` moves it."""
    with time_machine.travel(datetime.now(UTC), tick=False) as traveller:
        yield traveller


@pytest.fixture
def nodes(stage: Stage, node: OpenNode) -> list[Stage]:
    """The stage, and on PostgreSQL a second node beside it: SQLite is for one."""
    return [stage, node()] if stage.engine == "postgresql" else [stage]
