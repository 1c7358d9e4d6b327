"""Errors of policies."""

from __future__ import annotations

from rbac_api.errors import Conflict, Invalid, NotFound, TooManyAttempts, Unavailable


class PolicyChangeUnknown(NotFound):
    code = "policy.not_found"
    title = "No such change"
    default_detail = (
        "No policy was applied with this number. Use the `seq` that POST /v1/policy/apply returned."
    )


class PolicyReverted(Conflict):
    code = "policy.reverted"
    title = "The policy was already reverted"
    default_detail = "The changes of this policy were already reverted. There is nothing left to revert."


class PolicyNotRevertible(Conflict):
    """``changed`` names the first hundred of the ``total`` things that are no longer as that policy left
    them."""

    code = "policy.not_revertible"
    title = "Changed since the policy was applied"
    default_detail = (
        "Later changes affect what this policy changed, so it cannot be reverted as a whole; 'changed' "
        "lists them. Undo what is still wanted with a new document or with single changes."
    )
    example = {"changed": ["role accountant: description"], "total": 1}  # noqa: RUF012


class PolicyInUse(Conflict):
    """``in_use`` names the first hundred of the ``total`` uses of what would be taken away."""

    code = "policy.in_use"
    title = "It would take away what is in use"
    default_detail = (
        "This takes away permissions that were used in the last 'used_within' days; 'in_use' lists them. "
        "Leave them in the document, or apply it with even_if_used=true."
    )
    example = {  # noqa: RUF012
        "in_use": [
            {
                "user": {"id": "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57", "username": "ingrid.solberg"},
                "permission": "invoices:approve",
                "last_used": "2026-11-03T08:12:44.031000Z",
                "times": 128,
            }
        ],
        "total": 1,
    }


class PolicyChanging(Unavailable):
    """Computed several times, and each time something had changed before it could be written."""

    code = "policy.changing"
    title = "The policy changes too often"
    default_detail = (
        "Each time this document was computed, another change was written first. Nothing was changed. Try "
        "again after the number of seconds in Retry-After."
    )


class PolicyBusy(TooManyAttempts):
    """One at a time in each process: computing a policy occupies a processor."""

    code = "policy.busy"
    title = "Another policy is being computed"
    default_detail = (
        "The service computes one policy at a time, and another request waits already. Try again after the "
        "number of seconds in Retry-After."
    )
    example = {}  # noqa: RUF012


class PolicyTooLarge(Invalid):
    """More work than one request may cause."""

    code = "policy.too_large"
    title = "The policy is too large for one request"
    default_detail = (
        "This takes more than 50,000 steps, or changes roles that more than 100,000 users hold. Split the "
        "document, or use `rbac-api policy` on the server, which has no limit."
    )
    example = {}  # noqa: RUF012
