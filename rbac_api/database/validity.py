"""Selects rows by their validity: ``valid_from <= moment < valid_to``, where an empty ``valid_to`` means no
end.

Ended rows stay readable.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, FromClause, Table, and_, case, or_


def in_force(table: FromClause, at: datetime) -> ColumnElement[bool]:
    """The row counts at that moment."""
    return and_(table.c.valid_from <= at, not_over(table, at))


def not_over(table: FromClause, at: object) -> ColumnElement[bool]:
    """The row counts at that moment or will later; ``at`` may be a bound parameter."""
    return or_(table.c.valid_to.is_(None), table.c.valid_to > at)


def ended(table: Table, now: datetime) -> dict[str, object]:
    """Return the values of a row that ends now; one that has not begun gets an empty period."""
    begun = case((table.c.valid_from > now, now), else_=table.c.valid_from)
    return {"valid_from": begun, "valid_to": now}
