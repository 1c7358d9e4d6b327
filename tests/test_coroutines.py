"""A coroutine runs to its end beside a browser, whose event loop this worker's main thread has."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from tests import coroutines

WHO = contextvars.ContextVar("WHO", default="nobody")


async def _who() -> str:
    await asyncio.sleep(0)
    return WHO.get()


async def _broken() -> None:
    raise ZeroDivisionError


async def _inside_a_loop() -> str:
    WHO.set("carol")
    return coroutines.run(_who())


def test_a_coroutine_runs_where_a_loop_runs_already_and_sees_the_callers_context() -> None:
    assert coroutines.run(_inside_a_loop()) == "carol"


def test_what_a_coroutine_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        coroutines.run(_broken())
