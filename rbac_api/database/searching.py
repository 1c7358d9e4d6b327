"""Pages out of very many rows: what a list's filter finds, without a look at every row where that can be known to be needless.

SQLite plans by rules of thumb, not by how many rows there are.  Asked for the first fifty of a million in their order, it walks them all
where only three fit.  So it is told: of few, look these up and sort them; of many, walk until there are enough.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    and_,
    bindparam,
    func,
    select,
)

from rbac_api.database.periods import in_force
from rbac_api.database.tables import assignments, roles

FEW = 5000
_WRITTEN_OUT = 200  # values of one statement
_ALL = 2**31 - 1  # a limit, which keeps SQLite from turning the sub-query into a question asked of each row
_LAST = "\U0010ffff"
Found = Select[Any] | CompoundSelect[Any]


def one_of(
    connection: Connection, column: Column[Any], found: Found, otherwise: ColumnElement[bool]
) -> ColumnElement[bool]:
    """The column's value is among the ``found``; said in the form ``otherwise`` where those are many."""
    some = found.limit(FEW + 1).subquery()
    few = connection.execute(select(func.count()).select_from(some)).scalar_one() <= FEW
    return column.in_(found.limit(_ALL)) if few else otherwise


def begins_with(connection: Connection, column: Column[Any], prefix: str) -> ColumnElement[bool]:
    """The text begins with this; wildcards are ordinary characters.

    SQLite's LIKE ignores case and therefore every index; but its order is that of code points, in which a prefix is a range.
    """
    if connection.dialect.name == "sqlite":
        return column.between(prefix, prefix + _LAST)
    return column.startswith(prefix, autoescape=True)


def among(column: Column[Any], values: Collection[str]) -> ColumnElement[bool]:
    """Any of these ids or names.  A role may have ten thousand seniors: so many go into the text of the statement, escaped, as the driver
    takes half a second to number as many parameters."""
    several = bindparam(
        None,
        sorted(values),
        column.type,
        unique=True,
        expanding=True,
        literal_execute=len(values) > _WRITTEN_OUT,
    )
    return column.in_(several)


def list_open_roles(connection: Connection, names: Collection[str]) -> list[str]:
    """The ids of the roles in force that have these names."""
    named = select(roles.c.id).where(among(roles.c.name, names), roles.c.valid_to.is_(None))
    return list(connection.execute(named).scalars())


def holding(role_ids: Collection[str], at: datetime) -> ColumnElement[bool]:
    """An assignment of one of these roles that counts at that moment by itself."""
    return and_(
        among(assignments.c.role_id, role_ids), assignments.c.mode == "active", in_force(assignments, at)
    )
