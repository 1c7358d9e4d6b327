"""Defines column types that behave alike on SQLite and PostgreSQL, and makes ids."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, String, Uuid
from sqlalchemy.types import TypeDecorator

UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
_ID = re.compile(UUID, re.IGNORECASE)
ColumnReader = Callable[[Sequence[Any]], Iterable[Any]]


class Id(TypeDecorator[str]):
    """A UUID as a lower-case string with hyphens on both engines."""

    impl = Uuid(as_uuid=False)
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], str | None]:
        """Return what reads a stored value, without an object of ``uuid.UUID`` for each: a page has
        hundreds."""
        return _hyphenated if dialect.name == "sqlite" else _as_text

    def column_processor(self, dialect: Dialect) -> ColumnReader | None:
        """Return what reads all stored values of a column; None where the driver gives ids as they are."""
        return _all_hyphenated if dialect.name == "sqlite" else None


ID = Id()
# The name of a domain, compared by code points: what is in a domain is a range of names.
DOMAIN_PATH = String(255).with_variant(String(255, collation="C"), "postgresql")


class UtcDateTime(TypeDecorator[datetime]):
    """An aware moment in UTC.

    SQLite forgets offsets, so naive values are refused when written, and UTC is restored when read.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """Return what reads a stored value in one step, not with one processor around another."""
        return _moment_of if dialect.name == "sqlite" else _in_utc

    def column_processor(self, dialect: Dialect) -> ColumnReader:
        """Return what reads all stored values of a column."""
        return _all_moments_of if dialect.name == "sqlite" else _all_in_utc


def _hyphenated(stored: str | None) -> str | None:
    """SQLite stores 32 hexadecimal digits."""
    if stored is None:
        return None
    return f"{stored[:8]}-{stored[8:12]}-{stored[12:16]}-{stored[16:20]}-{stored[20:]}"


def _as_text(value: object) -> str | None:
    return None if value is None else str(value)


def _moment_of(stored: str | None) -> datetime | None:
    """SQLite stores ISO 8601 without an offset."""
    return None if stored is None else datetime.fromisoformat(stored + "+00:00")


def _all_hyphenated(stored: Sequence[str | None]) -> list[str | None]:
    return [t and f"{t[:8]}-{t[8:12]}-{t[12:16]}-{t[16:20]}-{t[20:]}" for t in stored]


def _all_moments_of(stored: Sequence[str | None]) -> list[datetime | None]:
    return [None if t is None else datetime.fromisoformat(t + "+00:00") for t in stored]


def _all_in_utc(values: Sequence[datetime | None]) -> list[datetime | None]:
    return [v if v is None or v.tzinfo is UTC else v.astimezone(UTC) for v in values]


def _in_utc(value: datetime | None) -> datetime | None:
    return value if value is None or value.tzinfo is UTC else value.astimezone(UTC)


def is_id(text: str) -> bool:
    """Return whether a text has the form of an id, in any case.

    A path's reference of this form is always an id: so no name is mistaken for the id of another account.
    """
    return _ID.fullmatch(text) is not None


def new_id() -> str:
    """Return a UUIDv7 (RFC 9562 section 5.7): 48 bits of milliseconds, 12 bits of their fraction, 62 random
    bits; sorts by creation."""
    nanoseconds = time.time_ns()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    high = milliseconds << 16 | 0x7000 | fraction
    low = 1 << 63 | secrets.randbits(62)
    text = f"{high:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
