"""Errors of erasure."""

from __future__ import annotations

from rbac_api.errors import Fault, Invalid

NAMES_USER = Fault(
    "/reason",
    "reason.names_user",
    "The reason contains the username, which would stay in the audit trail. Write it without the name.",
)


def reason_names_user() -> Invalid:
    """422: the reason would keep what is to be erased."""
    return Invalid(faults=(NAMES_USER,))
