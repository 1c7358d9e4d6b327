"""Exports the list of users as a file. Part of the service."""

from __future__ import annotations

from collections.abc import Iterator

from rbac_api.capabilities.users import queries
from rbac_api.capabilities.users.answers import UserAnswer, UserFilters
from rbac_api.capabilities.users.serializers import describe_on
from rbac_api.capabilities.users.service import conditions
from rbac_api.decision.names import canonical
from rbac_api.formats.sheets import CHUNK, Form, Sheet, stream
from rbac_api.guard.enforcement.clearance import Clearance

USERS: Sheet[UserAnswer] = Sheet(
    (
        "id", "username", "email", "display_name", "status", "password_change_required", "locked_until",
        "created_at", "updated_at", "last_login_at",
    ),
    lambda item: item,
)  # fmt: skip


def export_users(clearance: Clearance, filters: UserFilters, form: Form) -> Iterator[bytes]:
    """All users that match, by username, as a stream of CSV or NDJSON."""
    database, fitting = clearance.work.database, conditions(clearance, filters)

    settings = clearance.settings

    def batch(last: UserAnswer | None) -> list[UserAnswer]:
        after = (canonical(last["username"]),) if last else None
        with database.reading() as connection:
            return describe_on(connection, settings, queries.list_users(connection, fitting, after, CHUNK))

    return stream(USERS, form, batch)
