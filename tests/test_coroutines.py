"""A coroutine runs to its end beside a browser, whose event loop this worker's main thread has."""

from __future__ import annotations

import asyncio
import contextvars

import pytest

from tests import coroutines

CALLER = contextvars.ContextVar("CALLER", default="")


async def _caller() -> str:
    await asyncio.sleep(0)
    return CALLER.get()


async def _broken() -> None:
    raise ZeroDivisionError


async def _inside_a_loop() -> str:
    CALLER.set("carol")
    return coroutines.run(_caller())


def test_a_coroutine_runs_where_a_loop_runs_already_and_sees_the_callers_context() -> None:
    assert coroutines.run(_inside_a_loop()) == "carol"


def test_what_a_coroutine_raises_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        coroutines.run(_broken())
