"""What only services that verify tokens answer; defined here so that ``GET /problems/{code}`` explains it."""

from __future__ import annotations

from rbac_api.errors import Forbidden


class RolesIncomplete(Forbidden):
    code = "roles.incomplete"
    title = "The token does not name all roles"
    default_detail = (
        "The token does not name all of your roles, because they did not fit, and the service that you called"
        " cannot find out whether one of them is enough. Sign in with only the roles that you need there."
    )
