"""Splits values into batches that fit one statement, or into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

AT_ONCE = 5000  # SQLite takes 32,766 values in a statement, PostgreSQL 65,535
T = TypeVar("T")


def batched(values: Iterable[T], size: int = AT_ONCE) -> Iterator[list[T]]:
    """Yield lists of ``size`` values, the last one with the rest; as ``itertools.batched`` from Python 3.12
    on."""
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some
