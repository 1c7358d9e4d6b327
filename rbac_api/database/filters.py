"""Filters long lists: finds a page of very many rows without reading every row where that is unnecessary.

SQLite plans by rules of thumb, not by the number of rows.  Asked for the first fifty of a million in their
order, it reads them all where only three match.  So the query fixes the plan: few matches are looked up and
sorted, many are read in order until the page is full.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import TypeVar

from sqlalchemy import (
    Column,
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    and_,
    bindparam,
    exists,
    func,
    select,
    true,
)

from rbac_api.database.tables import assignments
from rbac_api.database.validity import in_force
from rbac_api.decision.domains import lineage
from rbac_api.decision.model import ROOT
from rbac_api.decision.names import search_form, search_text
from rbac_api.formats import paging

FEW = 5000
_WRITTEN_OUT = 200  # values of one statement
_ALL = 2**31 - 1  # a limit that keeps SQLite from running the sub-query once per row
T = TypeVar("T")
Found = Select[str] | CompoundSelect[str]


def one_of(
    connection: Connection, column: Column[str], found: Found, otherwise: ColumnElement[bool]
) -> ColumnElement[bool]:
    """The column's value is among the ``found``; expressed in the form ``otherwise`` where those are many."""
    return looked_up(column, found) if are_few(connection, found) else otherwise


def are_few(connection: Connection, found: Found) -> bool:
    """Whether these are so few that they are better looked up and sorted."""
    some = found.limit(FEW + 1).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one() <= FEW


def looked_up(column: Column[str], found: Found) -> ColumnElement[bool]:
    """The column's value is among the ``found``, which are read first."""
    return column.in_(found.limit(_ALL))


def bounded_count(connection: Connection, matching: Found) -> int:
    """Return how many rows match; one more than ``MAX_TOTAL`` means any larger number, so that no list
    counts a million rows."""
    some = matching.limit(paging.MAX_TOTAL + 1).subquery()
    return connection.execute(select(func.count()).select_from(some)).scalar_one()


def mentions(connection: Connection, column: ColumnElement[str], sought: str) -> ColumnElement[bool]:
    """Return the condition that the column has this text anywhere, both in search form; wildcards are
    ordinary characters."""
    if connection.dialect.name == "sqlite":
        return func.instr(column, sought) > 0
    return column.contains(sought, autoescape=True)


def naming(rows: Iterable[T], text: str | None, *columns: str) -> Iterator[T]:
    """Yield the rows that have this text in one of the columns, ignoring case and accents; without a text,
    all.

    For tables with few rows, such as roles: reading all of them is cheaper than a column kept for the search.
    """
    sought = sought_form(text) if text else ""
    return (
        row for row in rows if not text or sought in search_text(*(getattr(row, name) for name in columns))
    )


def sought_form(text: str) -> str:
    """Return the text in search form, without spaces around it and with one between words; pasted text often
    has more."""
    form = search_form(text)
    return " ".join(form.split()) or form


def among(column: ColumnElement[str], values: Collection[str]) -> ColumnElement[bool]:
    """The column's value is any of these ids or names.

    A role may have ten thousand seniors.  So many are written into the text of the statement, escaped,
    because the driver takes half a second to number as many parameters.
    """
    several = bindparam(
        None,
        sorted(values),
        column.type,
        unique=True,
        expanding=True,
        literal_execute=len(values) > _WRITTEN_OUT,
    )
    return column.in_(several)


def counts_at(domain: str | None = ROOT) -> ColumnElement[bool]:
    """The assignment counts at that domain: it is there, or at an ancestor; None: anywhere."""
    if domain is None:
        return true()
    places = lineage(domain)
    return assignments.c.domain.in_(places) if len(places) > 1 else assignments.c.domain == ROOT


def counting(at: datetime, domain: str | None = ROOT, *, eligible: bool = False) -> ColumnElement[bool]:
    """The assignment counts at that moment and that domain, by itself; with ``eligible`` also if it has to be
    activated."""
    there = and_(in_force(assignments, at), counts_at(domain))
    return there if eligible else and_(assignments.c.mode == "active", there)


def holding(role_ids: Collection[str], at: datetime, domain: str | None = ROOT) -> ColumnElement[bool]:
    """An assignment of one of these roles that counts at that moment by itself, at that domain."""
    return and_(among(assignments.c.role_id, role_ids), counting(at, domain))


def holds_one_of(
    connection: Connection, user_id: Column[str], role_ids: Collection[str], counts: ColumnElement[bool]
) -> ColumnElement[bool]:
    """The account has an assignment of one of these roles for which ``counts`` is true.

    For reading accounts in their order.  The bare column of roles would make SQLite look up every role for
    each account, by the index of roles and accounts; of an expression PostgreSQL has no statistics.
    """
    role_id: ColumnElement[str] = assignments.c.role_id
    if connection.dialect.name == "sqlite":
        role_id = func.coalesce(role_id, role_id)
    mine = (assignments.c.user_id == user_id, among(role_id, role_ids), counts)
    return exists(select(1).where(*mine))
