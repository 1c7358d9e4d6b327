"""What can go wrong with policies."""

from __future__ import annotations

from rbac_api.errors import Conflict, NotFound


class PolicyChangeUnknown(NotFound):
    code = "policy.not_found"
    title = "No such change"
    default_detail = (
        "No policy was applied under this number; it is `seq` in the answer to POST /v1/policy/apply."
    )


class PolicyReverted(Conflict):
    code = "policy.reverted"
    title = "Undone already"
    default_detail = "What this policy had changed was undone already."


class PolicyNotRevertible(Conflict):
    """``changed`` names what is no longer as that policy left it."""

    code = "policy.not_revertible"
    title = "Something has changed since"
    default_detail = "What this policy had changed is no longer as it left it, so it cannot be undone as a whole; 'changed' says what."
    example = {"changed": ["role accountant: description"]}  # noqa: RUF012
