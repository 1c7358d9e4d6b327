"""Exports the roles of an account as a file: its direct assignments. Part of the service."""

from __future__ import annotations

from collections.abc import Iterator

from rbac_api.capabilities.assignments.answers import AssignmentAnswer, UserRolesAnswer
from rbac_api.formats.sheets import Form, Sheet, stream

ASSIGNMENTS: Sheet[AssignmentAnswer] = Sheet(
    (
        "role", "domain", "mode", "reason", "starts_at", "expires_at", "max_duration", "assigned_at",
        "assigned_by_id", "assigned_by_username",
    ),
    dict,
)  # fmt: skip


def export_roles(found: UserRolesAnswer, form: Form) -> Iterator[bytes]:
    """The direct assignments from the result of ``get_user_roles``, one per row."""
    return stream(ASSIGNMENTS, form, lambda last: found["direct"] if last is None else ())
