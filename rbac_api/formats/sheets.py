"""Streams lists as files, by ``Accept``: CSV (RFC 4180) for spreadsheets and NDJSON for programs.

The caller gives the columns, how a row is shown, and a function that reads a batch of rows. Only one batch is
in memory at a time. Between two batches no connection is held while a slow client reads.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Literal, TypeVar

import orjson

from rbac_api import clock

T = TypeVar("T")
Form = Literal["csv", "ndjson"]
MEDIA: dict[str, Form] = {"text/csv": "csv", "application/x-ndjson": "ndjson"}
CHUNK = 200
_JSON = "application/json"
_LINES = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
# the full-width signs begin formulas in East Asian editions
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
Shown = Mapping[str, object]


def flattened(shown: Shown) -> Shown:
    """Convert a JSON object to cells: ``{"user": {"id": …}}`` becomes ``user_id``, and a list stays JSON."""
    cells: dict[str, object] = {}
    for name, value in shown.items():
        inner = value.items() if isinstance(value, Mapping) else ()
        cell = orjson.dumps(value).decode() if isinstance(value, list) else value
        cells.update({f"{name}_{key}": within for key, within in inner} if inner else {name: cell})
    return cells


@dataclass(frozen=True, slots=True)
class Sheet(Generic[T]):
    """A list as a file: its columns, and how a row is shown in each form.

    ``flattened`` is the default for cells.
    """

    columns: tuple[str, ...]
    describe: Callable[[T], Shown]
    cells: Callable[[T], Shown] | None = None

    @property
    def header(self) -> str:
        """The first line of the CSV."""
        return ",".join(self.columns) + "\r\n"


def stream(sheet: Sheet[T], form: Form, batch: Callable[[T | None], Sequence[T]]) -> Iterator[bytes]:
    """Yield the file in pieces.

    ``batch`` returns the rows after the given one (None: the first rows), none at the end.
    """
    if form == "csv":
        yield sheet.header.encode()
    last: T | None = None
    while rows := batch(last):
        yield _csv_lines(sheet, rows) if form == "csv" else _json_lines(sheet, rows)
        last = rows[-1]


def defused(cell: object) -> str:
    """Return a cell that no spreadsheet reads as a formula and no terminal as a command.

    See OWASP, CSV Injection. Unprintable characters are written as escapes.
    """
    text = "" if cell is None else clock.rfc3339(cell) if isinstance(cell, datetime) else str(cell)
    if not text.isprintable():
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return "'" + text if text.lstrip().startswith(_FORMULA) else text


def _json_lines(sheet: Sheet[T], rows: Iterable[T]) -> bytes:
    return b"".join(orjson.dumps(sheet.describe(row), option=_LINES) for row in rows)


def _csv_lines(sheet: Sheet[T], rows: Iterable[T]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    for row in rows:
        cells = sheet.cells(row) if sheet.cells else flattened(sheet.describe(row))
        writer.writerow(defused(cells.get(column)) for column in sheet.columns)
    return buffer.getvalue().encode()
