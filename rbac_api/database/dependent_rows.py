"""Helps to write statements that add a row for each row that another part of them changed (PostgreSQL)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import CTE, Column, ColumnElement, Select, bindparam, select


def values_where(
    changed: CTE, columns: Sequence[Column[Any]], prefix: str, **more: ColumnElement[Any]
) -> tuple[list[str], Select[Any]]:
    """Return what ``Insert.from_select`` takes to add a row for each row of ``changed``.

    The values of ``columns`` are parameters with their names, after the prefix; ``more`` are columns with
    expressions over ``changed``.
    """
    values = [bindparam(prefix + column.name, type_=column.type) for column in columns]
    names = [*(column.name for column in columns), *more]
    return names, select(*values, *more.values()).select_from(changed)
