"""Cuts lists into keyset pages: the next page begins after the key of the last row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypedDict, TypeVar

T = TypeVar("T")
R = TypeVar("R")
MAX_PAGE_SIZE = 200
MAX_TOTAL = 10_000  # rows that are counted for ``count=true``


class NamedFilters(TypedDict, total=False):
    """A search in names and descriptions."""

    q: str | None


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The paging that the client asked for: how many rows, after which key, and whether to count all rows."""

    limit: int
    after: tuple[object, ...] | None
    count: bool


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """The result of a query: at most ``limit`` rows, the key of the next page, and the total if requested.

    A total above ``MAX_TOTAL`` means that there are more than that; nothing counts further.
    """

    items: Sequence[T]
    next_key: tuple[object, ...] | None
    total: int | None = None

    def map(self, describe: Callable[[T], R]) -> Page[R]:
        """Return the page with every item described."""
        return Page([describe(item) for item in self.items], self.next_key, self.total)


def cut(
    rows: Sequence[T], page: PageRequest, key: Callable[[T], tuple[object, ...]], total: int | None
) -> Page[T]:
    """Make a page of the rows of a query that asked for one row more than the limit."""
    if len(rows) > page.limit:
        return Page(rows[: page.limit], key(rows[page.limit - 1]), total)
    return Page(rows, None, total)
