"""What can go wrong with one's own account."""

from __future__ import annotations

from rbac_api.errors import Forbidden


class CurrentPasswordWrong(Forbidden):
    """Known by her token, but the proof asked for in addition does not fit."""

    keeps_work = True  # the failure that was counted
    code = "password.wrong"
    title = "The current password is wrong"
    default_detail = "The current password is wrong. Nothing was changed."
