"""Policies as documents: the functions that other packages call.

document = read_policy(raw)                                   422 with a pointer for each fault
plan_policy(clearance, document, prune=False)                 what it would do; nothing is changed
apply_policy(clearance, document, prune=False)["seq"]         done, all of it or nothing
revert_policy(clearance, seq)                                 and back
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rbac_api import clock
from rbac_api.capabilities.policy import current_state as present
from rbac_api.capabilities.policy import engine
from rbac_api.capabilities.policy.drift import find_drift
from rbac_api.capabilities.policy.engine import plan_policy
from rbac_api.capabilities.policy.erasure import erase_username
from rbac_api.capabilities.policy.export import export_policy
from rbac_api.capabilities.policy.imports import Imported, ImportRefused, import_assignments
from rbac_api.capabilities.policy.in_use import UNUSED_ONLY, USED_WITHIN_DAYS, UseCheck
from rbac_api.capabilities.policy.plan_queue import one_at_a_time
from rbac_api.capabilities.policy.reading import in_domain
from rbac_api.capabilities.policy.revert import plan_revert, revert_policy
from rbac_api.capabilities.policy.seeds import (
    EXAMPLE,
    SYSTEM,
    Loaded,
    is_system_as_built_in,
    load_document,
    read_file,
    reconcile_system,
    seed,
)
from rbac_api.capabilities.policy.suggestion import suggest_role
from rbac_api.decision.document import Document, DocumentRefused, read_document
from rbac_api.errors import Invalid
from rbac_api.formats.http_errors import PreconditionFailed
from rbac_api.guard.enforcement.clearance import Clearance

__all__ = [
    "EXAMPLE", "SYSTEM", "USED_WITHIN_DAYS", "ImportRefused", "Imported", "Loaded", "UseCheck",
    "apply_policy", "erase_username", "export_policy", "find_drift", "import_assignments", "in_domain",
    "is_system_as_built_in", "load_document", "one_at_a_time", "plan_policy", "plan_revert", "read_file",
    "read_policy", "reconcile_system", "require_revision", "revert_policy", "seed", "suggest_role",
]  # fmt: skip


def apply_policy(
    clearance: Clearance,
    document: Document,
    *,
    prune: bool,
    uses: UseCheck = UNUSED_ONLY,
    tags: frozenset[str] | None = None,
) -> dict[str, Any]:
    """Apply the document, all of it or nothing; 412 unless one of the ``tags``, if given, is the current
    revision; 409 if it takes away what is in use, unless ``uses`` allows that."""

    def check(reader: Clearance) -> None:
        if tags is not None:
            require_revision(reader, tags)

    return engine.apply_policy(clearance, document, prune=prune, uses=uses, check=check)


def read_policy(raw: object) -> Document:
    """The document, if its form is valid; 422 with a pointer for each fault otherwise."""
    try:
        return read_document(raw)
    except DocumentRefused as refusal:
        faults = tuple(replace(fault, detail=fault.detail[:500]) for fault in refusal.places)
        raise Invalid(faults=faults) from refusal


def require_revision(clearance: Clearance, tags: frozenset[str]) -> None:
    """412 unless one of the tags is the current revision."""
    now = present.revision(clearance.connection, clock.now())
    if not tags.intersection((now, f"{now}-yaml")):
        raise PreconditionFailed()
