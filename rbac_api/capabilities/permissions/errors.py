"""Errors of permissions."""

from __future__ import annotations

from rbac_api.errors import Conflict, NotFound


class PermissionNotFound(NotFound):
    code = "permission.not_found"
    title = "No such permission"
    default_detail = "There is no permission with this name. List them with GET /v1/permissions."


class PermissionNameTaken(Conflict):
    code = "permission.name_taken"
    title = "The permission already exists"
    default_detail = (
        "A permission with this name, or one that differs from it only by case, already exists. Choose "
        "another name."
    )


class PermissionInUse(Conflict):
    code = "permission.in_use"
    title = "The permission is in use"
    default_detail = (
        "A role holds this permission. Remove it from the role first, or repeat with ?force=true."
    )


class PermissionBuiltIn(Conflict):
    code = "permission.system"
    title = "The permission is built in"
    default_detail = "This permission belongs to this service and cannot be changed or deleted."
