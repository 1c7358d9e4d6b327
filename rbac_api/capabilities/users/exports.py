"""The list of users as a file.  Part of the service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Row

from rbac_api.capabilities.users import queries
from rbac_api.capabilities.users.service import conditions, describe
from rbac_api.guard.clearance import Clearance
from rbac_api.web.exports import CHUNK, Form, Sheet, stream

USERS = Sheet(
    (
        "id", "username", "email", "display_name", "status", "password_change_required", "created_at", "updated_at", "last_login_at",
    ),
    describe,
)  # fmt: skip


def export_users(clearance: Clearance, filters: Mapping[str, Any], form: Form) -> Iterator[bytes]:
    """All users that fit, by username, as a stream of CSV or NDJSON."""
    database, fitting = clearance.work.database, conditions(clearance, filters)

    def batch(last: Row[Any] | None) -> list[Row[Any]]:
        with database.reading() as connection:
            return queries.list_users(
                connection, fitting, (last.username_canonical,) if last else None, CHUNK
            )

    return stream(USERS, form, batch)
