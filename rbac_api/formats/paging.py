"""Cuts lists into keyset pages: a page ends with the key of its last row, and the next one begins after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

LARGEST = 200


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What the client asked for: how many rows, after which key, and whether to count them all."""

    limit: int
    after: tuple[Any, ...] | None
    count: bool


@dataclass(frozen=True, slots=True)
class Page:
    """What a query found: at most ``limit`` rows, the key to go on from, and the total if it was asked for."""

    items: Sequence[Any]
    next_key: tuple[Any, ...] | None
    total: int | None = None


def cut(
    rows: Sequence[Any], page: PageRequest, key: Callable[[Any], tuple[Any, ...]], total: int | None
) -> Page:
    """From a query that asked for one row more than the limit, the page and its key."""
    if len(rows) > page.limit:
        return Page(rows[: page.limit], key(rows[page.limit - 1]), total)
    return Page(rows, None, total)
