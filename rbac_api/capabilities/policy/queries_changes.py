"""SQL for the table ``policy_changes``: which policies were applied, and what each changed."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, insert, or_, select, update

from rbac_api.database.tables import policy_changes


class ChangeRow(NamedTuple):
    """A policy that was applied, with the number of its event; ``changes`` is JSON."""

    seq: int
    at: datetime
    hash: str
    changes: str
    reverted_by: int | None


def add_change(connection: Connection, values: dict[str, object]) -> None:
    connection.execute(insert(policy_changes).values(values))


def find_change(connection: Connection, seq: int) -> ChangeRow | None:
    columns = (policy_changes.c[name] for name in ChangeRow._fields)
    row = connection.execute(select(*columns).where(policy_changes.c.seq == seq)).first()
    return ChangeRow._make(row) if row else None


def list_changes_of_users(connection: Connection) -> list[ChangeRow]:
    """The applied policies that have users in their operations."""
    columns = (policy_changes.c[name] for name in ChangeRow._fields)
    naming = or_(*(policy_changes.c.changes.contains(f'"{name}":') for name in ("user", "username")))
    return [ChangeRow._make(row) for row in connection.execute(select(*columns).where(naming))]


def rewrite_change(connection: Connection, seq: int, changes: str) -> None:
    connection.execute(update(policy_changes).where(policy_changes.c.seq == seq).values(changes=changes))


def note_reverted(connection: Connection, seq: int, by: int) -> None:
    connection.execute(update(policy_changes).where(policy_changes.c.seq == seq).values(reverted_by=by))
