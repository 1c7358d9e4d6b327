"""Translates the errors of a database into those of this service.

Capabilities register, next to their error classes, which constraint's violation means which error.  A
violated constraint then reads exactly like the refusal of a check beforehand.
"""

from __future__ import annotations

import re
import sqlite3
from typing import Any

from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from rbac_api.database.tables import metadata
from rbac_api.errors import ServiceError, Unavailable

_meanings: dict[str, type[ServiceError]] = {}
_RETRY_STATES = frozenset({"40001", "40P01"})  # serialization failure, deadlock
# The database was changed from outside: a table is missing or not accessible.  SQLite reports an operational
# error, PostgreSQL a programming error, which it is not.
# A prepared statement that is unknown, or already there, belongs to another session than the one it was
# prepared in.
_DAMAGE_STATES = frozenset({"26000", "3D000", "3F000", "42501", "42703", "42P01", "42P05"})


class DatabaseDown(Unavailable):
    """The database does not answer, refuses to write, or took too long."""

    code = "database.unavailable"
    default_detail = (
        "The database cannot answer right now; nothing was changed. Try again after the number of seconds"
        " in Retry-After."
    )


class Clash(DatabaseDown):
    """Two transactions clashed; running the whole unit of work again is safe and usually succeeds.  If not,
    the caller gets the same answer."""


def register_constraint(name: str, meaning: type[ServiceError]) -> None:
    """Declare that violating the constraint or unique index ``name`` means ``meaning``."""
    _meanings[name] = meaning


def meaning_of(fault: SQLAlchemyError) -> ServiceError | None:
    """Return this service's error for one of the database, whose own words go into ``internal``, for the log;
    None for a fault of the code."""
    if isinstance(fault, IntegrityError):
        meaning = _meanings.get(violated_constraint(fault) or "")
        return meaning(internal=str(fault.orig)) if meaning else None
    if isinstance(fault, (OperationalError, InterfaceError, PoolTimeout)):
        return _outage(fault)
    if isinstance(fault, DBAPIError) and (fault.connection_invalidated or _is_damage(fault.orig)):
        return DatabaseDown(internal=str(fault.orig))
    return None


def _outage(fault: OperationalError | InterfaceError | PoolTimeout) -> Unavailable:
    original = getattr(fault, "orig", None)
    if getattr(original, "sqlstate", None) in _RETRY_STATES:
        return Clash(internal=str(original))
    return DatabaseDown(internal=f"{type(original or fault).__name__}: {original or fault}")


def _is_damage(original: BaseException | None) -> bool:
    """Return whether the database itself is damaged: one of PostgreSQL's states above, or a file that SQLite
    cannot read."""
    return getattr(original, "sqlstate", None) in _DAMAGE_STATES or type(original) is sqlite3.DatabaseError


def violated_constraint(fault: IntegrityError) -> str | None:
    """Return the name of the constraint: PostgreSQL reports it; for SQLite it is found by the columns that
    its message names."""
    if isinstance(fault.orig, sqlite3.Error):
        return _named_by_columns(str(fault.orig))
    return getattr(getattr(fault.orig, "diag", None), "constraint_name", None)


def _named_by_columns(message: str) -> str | None:
    columns = re.findall(r"(\w+)\.(\w+)", message)
    if not columns or not message.startswith("UNIQUE"):
        return None
    table = metadata.tables[columns[0][0]]
    wanted = [column for _, column in columns]
    candidates: list[Any] = [*table.constraints, *(index for index in table.indexes if index.unique)]
    names = (str(c.name) for c in candidates if c.name and [column.name for column in c.columns] == wanted)
    return next(names, None)
