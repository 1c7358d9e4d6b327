"""Whom a document gives roles, and on what terms: as it names them, and as the services take them.  Part of the service."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rbac_api.capabilities.assignments.service import Terms
from rbac_api.capabilities.policy import queries
from rbac_api.decision.document import moment_of
from rbac_api.guard.clearance import Clearance
from rbac_api.trail.recorder import Target

People = Mapping[tuple[str, str], Target]  # by kind and canonical name


def find_people(clearance: Clearance, names: Iterable[str]) -> People:
    """Accounts by kind and canonical name; those that were deleted are left out."""
    found: dict[tuple[str, str], Target] = {}
    for row in queries.list_accounts(clearance.connection, names):
        kind = "service_account" if row.kind == "service" else "user"
        found[kind, row.username_canonical] = Target(kind, row.id, row.username)
    return found


def terms_of(wanted: Mapping[str, Any]) -> Terms:
    """The terms of a document as the service takes them."""
    moments = {key: moment_of(wanted[key]) for key in ("starts_at", "expires_at") if key in wanted}
    return Terms.read({**wanted, **moments})
