"""What can go wrong with policies."""

from __future__ import annotations

from rbac_api.errors import Conflict, NotFound


class PolicyChangeUnknown(NotFound):
    code = "policy.not_found"
    title = "No such change"
    default_detail = (
        "No policy was applied with this number. Use the `seq` that POST /v1/policy/apply returned."
    )


class PolicyReverted(Conflict):
    code = "policy.reverted"
    title = "The policy was already reverted"
    default_detail = "The changes of this policy were already reverted."


class PolicyNotRevertible(Conflict):
    """``changed`` names the first hundred of what is no longer as that policy left it, of ``total``."""

    code = "policy.not_revertible"
    title = "Changed since the policy was applied"
    default_detail = "Later changes affect what this policy changed, so it cannot be reverted as a whole; 'changed' lists them."
    example = {"changed": ["role accountant: description"], "total": 1}  # noqa: RUF012
