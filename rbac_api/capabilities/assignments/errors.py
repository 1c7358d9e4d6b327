"""Errors of assignments."""

from __future__ import annotations

from rbac_api.errors import Conflict, NotFound


class AssignmentNotFound(NotFound):
    code = "assignment.not_found"
    title = "The user does not hold this role"
    default_detail = (
        "This role is not directly assigned. An inherited role ends with the assignment it comes from."
    )


class RoleElsewhere(Conflict):
    code = "role.elsewhere"
    title = "The role is at home elsewhere"
    default_detail = (
        "The role manager@acme is at home at acme: it can be assigned there and below, not at globex."
    )
