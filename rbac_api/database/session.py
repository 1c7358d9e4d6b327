"""Defines the unit of work: opened when first needed, committed when it ends, rolled back on any
exception."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection

from rbac_api.database.engine import Database
from rbac_api.errors import ServiceError


class UnitOfWork:
    """A transaction that begins with the first use of ``connection`` and ends with the ``with`` block.

    Every exception rolls it back, except a ``ServiceError`` that keeps its work.

    A unit that never uses a connection costs nothing, which keeps the guard's hot path free of I/O.
    """

    __slots__ = ("_connection", "_one_moment", "_way_in", "database", "notes", "on_open", "writes")

    def __init__(self, database: Database, *, writes: bool, one_moment: bool = False) -> None:
        """``one_moment``: all statements of a reading unit have to see the rows of one moment."""
        self.database = database
        self._one_moment = one_moment
        self.writes = writes
        self.on_open: Callable[[], None] | None = None  # called once, with the transaction begun
        self.notes: dict[str, Any] = {}  # what the code of this unit remembers about it
        self._way_in: AbstractContextManager[Connection] | None = None
        self._connection: Connection | None = None

    @property
    def connection(self) -> Connection:
        """The transaction's connection; a unit that writes takes the write lock here."""
        if self._connection is None:
            reading = self.database.one_moment if self._one_moment else self.database.reading
            self._connection = self._enter(self.database.writing() if self.writes else reading())
        return self._connection

    def _enter(self, way_in: AbstractContextManager[Connection]) -> Connection:
        connection = way_in.__enter__()
        self._way_in, self._connection = way_in, connection
        if self.on_open is not None:
            self.on_open()
        return connection

    def release(self) -> None:
        """Commit, and let others write; the next use of ``connection`` begins another transaction."""
        self.__exit__(None, None, None)
        self.notes.clear()

    @property
    def opened(self) -> bool:
        """Whether the connection was used."""
        return self._connection is not None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        way_in, self._way_in, self._connection = self._way_in, None, None
        if way_in is not None and isinstance(fault, ServiceError) and fault.keeps_work:
            way_in.__exit__(None, None, None)
        elif way_in is not None:
            way_in.__exit__(kind, fault, trace)
