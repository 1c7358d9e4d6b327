"""Drift: where the database differs from a document, in both directions. Part of the service; it only
reads."""

from __future__ import annotations

from rbac_api.capabilities.policy.engine import load_compared, separate_unit
from rbac_api.capabilities.policy.references import require_known
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
    require_known(document, present, state.names, state.places.known, prune=False)
    parts = shown(difference(document, present, state.at, prune=True))
    return {**parts, "summary": summary(parts)}
