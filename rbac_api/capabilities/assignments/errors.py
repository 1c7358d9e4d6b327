"""Errors of assignments."""

from __future__ import annotations

from rbac_api.errors import NotFound


class AssignmentNotFound(NotFound):
    code = "assignment.not_found"
    title = "The user does not hold this role"
    default_detail = (
        "This role is not directly assigned. An inherited role ends with the assignment it comes from."
    )
