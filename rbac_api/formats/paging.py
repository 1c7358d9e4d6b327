"""Cuts lists into keyset pages: the next page begins after the key of the last row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

MAX_PAGE_SIZE = 200


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The paging that the client asked for: how many rows, after which key, and whether to count all rows."""

    limit: int
    after: tuple[Any, ...] | None
    count: bool


@dataclass(frozen=True, slots=True)
class Page:
    """The result of a query: at most ``limit`` rows, the key of the next page, and the total if requested."""

    items: Sequence[Any]
    next_key: tuple[Any, ...] | None
    total: int | None = None


def cut(
    rows: Sequence[Any], page: PageRequest, key: Callable[[Any], tuple[Any, ...]], total: int | None
) -> Page:
    """Make a page of the rows of a query that asked for one row more than the limit."""
    if len(rows) > page.limit:
        return Page(rows[: page.limit], key(rows[page.limit - 1]), total)
    return Page(rows, None, total)
