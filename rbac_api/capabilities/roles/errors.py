"""Errors of roles."""

from __future__ import annotations

from rbac_api.errors import Conflict, NotFound


class RoleNameTaken(Conflict):
    code = "role.name_taken"
    title = "The role already exists"
    default_detail = (
        "A role with this name, or one that differs from it only by case, already exists. Choose another "
        "name."
    )


class RoleBuiltIn(Conflict):
    code = "role.system"
    title = "The role is built in"
    default_detail = "This role is built in and cannot be changed or deleted. Create a role of your own."


class RoleInUse(Conflict):
    code = "role.in_use"
    title = "The role is in use"
    default_detail = (
        "A user holds this role, or another role inherits it. Revoke it first, or repeat with ?force=true."
    )


class RoleCycle(Conflict):
    code = "role.cycle"
    title = "A role would inherit itself"
    default_detail = (
        "With this inheritance, a role would inherit itself. Remove the inheritance that leads back first."
    )


class GrantNotFound(NotFound):
    code = "role.permission_not_held"
    title = "The role does not hold this permission"
    default_detail = (
        "The role does not hold this permission directly. An inherited permission must be removed from "
        "the role it comes from."
    )


class InheritanceNotFound(NotFound):
    code = "role.not_inherited"
    title = "The role does not inherit that role"
    default_detail = (
        "The role does not inherit that role directly. GET /v1/roles/{role} lists what it inherits; an "
        "inheritance through another role ends there."
    )
