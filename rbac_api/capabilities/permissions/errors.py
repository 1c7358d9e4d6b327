"""What can go wrong with permissions."""

from __future__ import annotations

from rbac_api.errors import Conflict, NotFound


class PermissionNotFound(NotFound):
    code = "permission.not_found"
    title = "No such permission"
    default_detail = "There is no permission of this name. List them with GET /v1/permissions."


class PermissionNameTaken(Conflict):
    code = "permission.name_taken"
    title = "The permission exists already"
    default_detail = "There is a permission of this name already."


class PermissionBuiltIn(Conflict):
    code = "permission.system"
    title = "The permission is built in"
    default_detail = "This permission is one of this service's own and can be neither deleted nor changed."
