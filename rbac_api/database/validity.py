"""Rows that count for a time: ``valid_from <= moment < valid_to``, an empty ``valid_to`` being no end.  What is over stays readable."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, FromClause, Table, and_, case, or_


def in_force(table: FromClause, at: datetime) -> ColumnElement[bool]:
    """The row counts at that moment."""
    return and_(table.c.valid_from <= at, not_over(table, at))


def not_over(table: FromClause, at: object) -> ColumnElement[bool]:
    """It counts at that moment or will later; ``at`` may be a bound parameter."""
    return or_(table.c.valid_to.is_(None), table.c.valid_to > at)


def ended(table: Table, now: datetime) -> dict[str, object]:
    """The values of a row that ends now; of one that has not begun no time is left."""
    begun = case((table.c.valid_from > now, now), else_=table.c.valid_from)
    return {"valid_from": begun, "valid_to": now}
