"""Errors of the caller's own account."""

from __future__ import annotations

from rbac_api.errors import Forbidden


class CurrentPasswordWrong(Forbidden):
    """The caller is authenticated, but the additional password is wrong."""

    keeps_work = True  # the failure that was counted
    code = "password.wrong"
    title = "The current password is wrong"
    default_detail = "The current password is wrong. Nothing was changed."
