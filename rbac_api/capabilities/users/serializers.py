"""Describes users for the API and for files. Part of the service, in a file of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from rbac_api.capabilities.attempts.service import list_blocks
from rbac_api.capabilities.users.answers import UserAnswer
from rbac_api.database.queries.users import ListedUser, UserRow
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.settings import Settings


def describe_all(clearance: Clearance, rows: Sequence[UserRow | ListedUser]) -> list[UserAnswer]:
    """Users as callers with ``users:read`` see them."""
    return describe_on(clearance.connection, clearance.settings, rows)


def describe_on(
    connection: Connection, settings: Settings, rows: Sequence[UserRow | ListedUser]
) -> list[UserAnswer]:
    """The same, read on a connection of its own."""
    locked = list_blocks(connection, settings, [row.username_canonical for row in rows])
    return [describe(row, locked.get(row.username_canonical)) for row in rows]


def describe(row: UserRow | ListedUser, locked_until: datetime | None = None) -> UserAnswer:
    """One user, who cannot sign in before ``locked_until``."""
    return {
        "id": row.id,
        "username": row.username,
        "email": row.email,
        "display_name": row.display_name,
        "status": row.status,
        "password_change_required": row.password_temporary,
        "locked_until": locked_until,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "last_login_at": row.last_login_at,
        "home": row.home,
    }
