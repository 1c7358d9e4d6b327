"""Reads CSV files as spreadsheets and other systems write them.

Ambiguous files are refused with the line and a remedy.

The encoding is Unicode with a byte order mark, UTF-8, or Windows-1252 (Latin-1). The delimiter is the comma,
semicolon, tab or bar that separates the headings. Headings are compared without regard to case. Spaces around
cells, empty rows, and empty columns without a heading are ignored.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rbac_api.errors import ServiceError
from rbac_api.formats.text_files import TextUnreadable, detected_encoding, unicode_text, western_text

_DELIMITERS = ",;\t|"
_QUOTES = (
    "the quotes do not match: put a cell with quotes, line breaks or delimiters into quotes, and "
    "double the quotes in it"
)
_LARGE = f"a cell is longer than {csv.field_size_limit()} characters"
Cells = dict[str, str]


class FileRefused(ServiceError):
    """The whole file cannot be read."""

    code = "import.unreadable"
    title = "The file cannot be read"


@dataclass(frozen=True, slots=True)
class Columns:
    """The headings that a file may have, and those that are required."""

    known: Sequence[str]
    required: Sequence[str]


def text_of(data: bytes, encoding: str | None) -> tuple[str, str | None]:
    """Return the text, and a note for the operator if the encoding was a guess."""
    try:
        return unicode_text(data, encoding), None
    except LookupError as fault:
        raise FileRefused(
            f"{encoding!r} is not a known encoding. Give one such as cp1250 or utf-16."
        ) from fault
    except TextUnreadable as fault:
        if encoding is not None or detected_encoding(data) != "utf-8":
            raise FileRefused(
                f"The file cannot be read: {fault}. Name its encoding with --encoding."
            ) from fault
    try:
        text = western_text(data)
    except TextUnreadable as fault:
        raise FileRefused(
            f"The file cannot be read: {fault}. Save it as UTF-8, or name its encoding, such as "
            "--encoding cp1250."
        ) from fault
    return text, (
        "The file is not UTF-8 and was read as Windows-1252. If letters are wrong, save it as UTF-8, or name"
        " its encoding with --encoding."
    )


def rows_of(text: str, columns: Columns) -> Iterator[tuple[int, Cells]]:
    """Yield each row with its line: the non-empty cells by heading.

    ``FileRefused`` for wrong headings or quotes.
    """
    table = _Table(text, columns)
    heading = table.heading()
    for cells in table:
        row = {name: cell for name, cell in zip(heading, cells, strict=False) if cell}
        beyond = [cell for cell in cells[len(heading) :] if cell]
        row |= {"a cell beyond the last column": beyond[0]} if beyond else {}
        row |= {"a cell without a heading": row.pop("")} if "" in row else {}
        if row:
            yield table.line, row


class _Table:
    """The rows of a text with trimmed cells, and the line of the latest row."""

    def __init__(self, text: str, columns: Columns) -> None:
        self._columns = columns
        # The reader accepts every kind of line end; one inside quotes belongs to the cell.
        first = next(
            (
                line
                for line in io.StringIO(text, newline=None)
                if line.strip() and not _detected_delimiter(line)
            ),
            "",
        )
        delimiter = _detected_delimiter(text.lstrip("\r\n").partition("\n")[0]) or self._delimiter(first)
        self._reader = csv.reader(
            io.StringIO(text, newline=None), delimiter=delimiter, skipinitialspace=True, strict=True
        )

    @property
    def line(self) -> int:
        return self._reader.line_num

    def __iter__(self) -> Iterator[list[str]]:
        try:
            for cells in self._reader:
                yield [cell.strip() for cell in cells]
        except csv.Error as fault:
            words = _LARGE if "limit" in str(fault) else _QUOTES
            raise FileRefused(f"The file cannot be read: line {self.line}: {words}.") from fault

    def heading(self) -> list[str]:
        """Return the first row that is not empty, without the one in which Excel declares the delimiter."""
        rows = (cells for cells in self if any(cells) and not cells[0].startswith("sep="))
        written = next(rows, [])
        names = [_plain(name) for name in written]
        faults = [f"the column {name} is missing" for name in self._columns.required if name not in names]
        faults += [
            f"the column {shown[:64]!r} is unknown"
            for name, shown in zip(names, written, strict=True)
            if name and name not in self._columns.known
        ]
        named = [name for name in names if name]
        faults += ["a column comes twice"] if len(set(named)) < len(named) else []
        if faults:
            known = ", ".join(self._columns.known)
            raise FileRefused(
                f"line {max(self.line, 1)}: {'; '.join(faults)}. Begin the file with a line of "
                f"column names, of {known}."
                " Nothing was imported."
            )
        return names

    def _delimiter(self, line: str) -> str:
        """Return the delimiter that separates the heading into the most known names."""
        return max(
            _DELIMITERS,
            key=lambda each: sum(_plain(name) in self._columns.known for name in line.split(each)),
        )


def _detected_delimiter(line: str) -> str | None:
    declared = re.fullmatch(r"\"?sep=([,;|\t])\"?\s*", line)
    return declared[1] if declared else None


def _plain(name: str) -> str:
    """Return a heading in the form of the column names: ``Starts at`` becomes ``starts_at``."""
    return re.sub(r"[\s-]+", "_", name.strip().strip('"').strip()).casefold()
