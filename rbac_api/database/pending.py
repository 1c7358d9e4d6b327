"""Collects rows to be written together: computed before the write lock is taken, written under it in a few
statements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from sqlalchemy import Connection, Table, bindparam, insert, update

from rbac_api.database.engine import batched
from rbac_api.database.tables import metadata

NOW = object()
"""Stands in a row for the moment at which it is written."""
_BATCH_SIZE = 1000
_Shape = tuple[
    Table, tuple[str, ...], tuple[str, ...], tuple[str, ...]
]  # columns that are given, empty, and set


class Pending:
    """New rows, and changes of existing ones.  What ends is written before what begins, because of unique
    indexes."""

    def __init__(self) -> None:
        self._added: dict[Table, list[dict[str, object]]] = {}
        self._changed: dict[_Shape, list[tuple[object, ...]]] = {}

    def add(self, table: Table, row: dict[str, object]) -> None:
        """Add a new row; all rows of a table have the same columns."""
        self._added.setdefault(table, []).append(row)

    def change(self, table: Table, where: Mapping[str, object], values: Mapping[str, object]) -> None:
        """Set these values in the rows in which the columns of ``where`` have these values (None: NULL)."""
        given = {name: value for name, value in where.items() if value is not None}
        shape = (table, tuple(given), tuple(where.keys() - given.keys()), tuple(values))
        self._changed.setdefault(shape, []).append((*given.values(), *values.values()))

    def write(self, connection: Connection, now: datetime) -> None:
        """Write everything; inside a writing transaction."""
        for shape, rows in self._changed.items():
            _change(connection, shape, rows, now)
        for table in metadata.sorted_tables:
            for some in batched(self._added.get(table, ()), _BATCH_SIZE):
                connection.execute(insert(table), [_dated(row, now) for row in some])


def _change(connection: Connection, shape: _Shape, rows: Iterable[tuple[object, ...]], now: datetime) -> None:
    table, given, empty, values = shape
    names = [*(f"is_{name}" for name in given), *(f"to_{name}" for name in values)]
    conditions = [table.c[name] == bindparam(f"is_{name}") for name in given]
    conditions += [table.c[name].is_(None) for name in empty]
    changed = update(table).where(*conditions).values({name: bindparam(f"to_{name}") for name in values})
    for some in batched(rows, _BATCH_SIZE):
        connection.execute(changed, [_dated(dict(zip(names, row, strict=True)), now) for row in some])


def _dated(row: dict[str, object], now: datetime) -> dict[str, object]:
    return {name: now if value is NOW else value for name, value in row.items()}
