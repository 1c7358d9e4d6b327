"""Fixtures of the corpora: further nodes on the stage's database, and a clock that stands still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from rbac_api.factory import close_app, create_app
from tests.builders import Stage
from tests.contract.answers import AnswerChecker

OpenNode = Callable[..., Stage]


@pytest.fixture
def frozen() -> Iterator[time_machine.Traveller]:
    """Time stands still at the present moment; ``frozen.shift(seconds)`` moves it."""
    with time_machine.travel(datetime.now(UTC), tick=False) as traveller:
        yield traveller


@pytest.fixture
def node(stage: Stage) -> Iterator[OpenNode]:
    """``node(proxy_hops=1)``: one more application on the stage's database, with settings of its own."""
    with ExitStack() as stack:

        def open_node(**changes: Any) -> Stage:
            settings = replace(stage.settings, **changes)
            app = create_app(settings)
            stack.callback(close_app, app)
            return Stage(stage.engine, settings, app, AnswerChecker(app))

        yield open_node
