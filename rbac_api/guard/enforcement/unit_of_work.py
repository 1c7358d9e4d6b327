"""Defines the unit of work: opened when first needed, committed when it ends, rolled back on any exception.

It knows what its own changes make of the roles, and what its actor held before them.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Connection

from rbac_api.database.constraints import Clash
from rbac_api.database.engine import Database
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.working import WorkingRoles
from rbac_api.errors import ServiceError
from rbac_api.guard.state.cache import Snapshot
from rbac_api.guard.state.queries import find_role_graph
from rbac_api.guard.state.subjects import Person

T = TypeVar("T")
ATTEMPTS = 4  # the first and three more after a clash


class UnitOfWork:
    """A transaction that begins with the first use of ``connection`` and ends with the ``with`` block.

    Every exception rolls it back, except a ``ServiceError`` that keeps its work.

    A unit that never uses a connection costs nothing, which keeps the guard's hot path free of I/O.
    """

    __slots__ = (
        "_connection", "_one_moment", "_way_in", "database", "escalated", "graph", "held", "holder",
        "on_open", "roles", "roles_changed", "undecided", "writes",
    )  # fmt: skip

    def __init__(self, database: Database, *, writes: bool, one_moment: bool = False) -> None:
        """``one_moment``: all statements of a reading unit have to see the rows of one moment."""
        self.database = database
        self._one_moment = one_moment
        self.writes = writes
        self.undecided = False  # whether the caller was let in to ask at a home, and nothing has asked yet
        self.on_open: Callable[[], None] | None = None  # called once, with the transaction begun
        self._way_in: AbstractContextManager[Connection] | None = None
        self._connection: Connection | None = None
        self._forget()

    def _forget(self) -> None:
        self.roles_changed = False
        self.roles: WorkingRoles | None = None  # with this unit's changes; None: they have to be read
        self.graph: RoleGraph | None = None  # the same, compiled
        self.held: set[str] | None = None  # what the actor held before many changes that count as one
        self.holder: Person | None = None  # the actor at that time
        self.escalated = False  # whether ``rbac:escalate`` alone allowed something of it

    def current_graph(self, snapshot: Snapshot) -> RoleGraph:
        """Return the roles in force, with the changes that this unit has recorded."""
        if self.graph is None and self.roles_changed:
            self.graph = self.roles.compiled() if self.roles else find_role_graph(self.connection)
        return self.graph or snapshot.graph(self.connection if self.writes else None)

    def know_roles(self, graph: RoleGraph) -> None:
        """Note the roles as they are after what this unit wrote."""
        self.graph, self.roles, self.roles_changed = graph, WorkingRoles(graph), True

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
        self._forget()

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


def with_retries(attempt: Callable[[], T]) -> T:
    """Run a unit of work; three times more if it clashes with another, each time from the beginning."""
    for _ in range(ATTEMPTS - 1):
        with suppress(Clash):
            return attempt()
    return attempt()
