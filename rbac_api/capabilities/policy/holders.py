"""Translates the terms of a document's assignments into those of the services. Part of the service."""

from __future__ import annotations

from rbac_api.capabilities.assignments.service import Terms
from rbac_api.decision.difference import Facts
from rbac_api.decision.document import moment_of


def terms_of(wanted: Facts) -> Terms:
    """The terms of a document as the service takes them."""
    moments = {key: moment_of(wanted[key]) for key in ("starts_at", "expires_at") if key in wanted}
    return Terms.read({**wanted, **moments})
