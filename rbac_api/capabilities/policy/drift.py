"""Drift: where the database differs from a document, in both directions. Part of the service; it only
reads."""

from __future__ import annotations

from rbac_api.capabilities.policy.engine import load_compared, require_known_in
from rbac_api.capabilities.policy.inside import part_in
from rbac_api.capabilities.policy.reading import separate_unit
from rbac_api.decision.difference import difference
from rbac_api.decision.document import Document
from rbac_api.decision.plan_parts import shown, summary
from rbac_api.guard.enforcement.clearance import Clearance


def find_drift(clearance: Clearance, document: Document) -> dict[str, object]:
    """What a plan with ``prune`` would show: ``created`` is only in the document, ``removed`` only in the
    database.

    Sections that the document does not have are not compared. 422 for a reference to something that does not
    exist.
    """
    with separate_unit(clearance) as reader:
        state, present = load_compared(reader, document, prune=True)
        require_known_in(state, document, present, prune=False)
    part = part_in(present, clearance.domain)
    parts = shown(difference(document, part, state.at, prune=True))
    return {**parts, "summary": summary(parts)}
