"""Statements of the busiest reads: compiled once, and run by the driver.

SQLAlchemy's execution costs more than SQLite's for one row, and its result rows more than the driver's for a
page.  A ``Prepared`` statement is written with SQLAlchemy like every other, and has its types: only their
conversions and the text are worked out in advance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import Connection, Dialect, Select

from rbac_api.database.engine import is_writer
from rbac_api.database.types import ColumnReader

R = TypeVar("R")
Conversion = Callable[[Any], Any]


class _Compiled(NamedTuple):
    """The text for one engine, its constant parameters, and the conversions by parameter and by column."""

    text: str
    constants: dict[str, Any]
    bound: dict[str, Conversion]
    read: dict[int, ColumnReader]


class Prepared(Generic[R]):
    """A SELECT whose values are all parameters by name, and what makes a typed row of each of its rows."""

    def __init__(self, statement: Select[Any], make: Callable[[Sequence[Any]], R]) -> None:
        self.statement = statement
        self._make = make
        self._compiled: dict[str, _Compiled] = {}

    def all(self, connection: Connection, **values: object) -> list[R]:
        """Return all rows."""
        if is_writer(connection):  # a repetition would not show why its transaction is aborted
            return [self._make(row) for row in connection.execute(self.statement, values)]
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name) or self._compile(dialect)
        given = {**compiled.constants, **values}
        for name, convert in compiled.bound.items():
            given[name] = convert(given[name])
        rows = _fetch(connection, compiled.text, given)
        if not rows:
            return []
        columns: list[Any] = list(zip(*rows, strict=True))
        for place, convert in compiled.read.items():
            columns[place] = convert(columns[place])
        return list(map(self._make, zip(*columns, strict=True)))

    def first(self, connection: Connection, **values: object) -> R | None:
        """Return the first row; None without one."""
        return next(iter(self.all(connection, **values)), None)

    def _compile(self, dialect: Dialect) -> _Compiled:
        kind: Any = type(dialect)  # SQLite's counts parameters unless asked to name them
        by_name: Dialect = kind(paramstyle="named") if dialect.name == "sqlite" else dialect
        text: Any = self.statement.compile(dialect=by_name)
        bound = {name: bind.type.dialect_impl(dialect) for name, bind in text.binds.items()}
        read = [column.type.dialect_impl(dialect) for column in self.statement.selected_columns]
        compiled = self._compiled[dialect.name] = _Compiled(
            str(text),
            {name: value for name, value in text.params.items() if value is not None},
            {name: convert for name, of in bound.items() if (convert := of.bind_processor(dialect))},
            {place: convert for place, of in enumerate(read) if (convert := _reader(of, dialect))},
        )
        return compiled


def _reader(kind: Any, dialect: Dialect) -> ColumnReader | None:
    """Return what reads a column of this type: a whole one in one call, where the type can."""
    if hasattr(kind, "column_processor"):
        found: ColumnReader | None = kind.column_processor(dialect)
        return found
    convert: Conversion | None = kind.result_processor(dialect, None)
    return convert and partial(map, convert)


def _fetch(connection: Connection, text: str, values: dict[str, Any]) -> list[Any]:
    driver: Any = connection.connection.driver_connection
    try:
        found: list[Any] = driver.execute(text, values).fetchall()
    except connection.dialect.loaded_dbapi.Error:
        # Once more through SQLAlchemy, which says what the fault means, and drops a connection that is lost.
        return list(connection.exec_driver_sql(text, values))
    return found
