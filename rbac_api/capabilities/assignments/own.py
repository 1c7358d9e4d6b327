"""What somebody gives herself: not for longer than she has it.  Part of the service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rbac_api import clock
from rbac_api.decision.evaluate import ESCALATE, missing
from rbac_api.guard.clearance import Clearance
from rbac_api.guard.errors import EscalationDenied
from rbac_api.guard.queries import get_subject
from rbac_api.trail.recorder import Target

_SENTENCE = "You hold this only for a time, or while it is active in your session: somebody else has to give it to you for longer."


def require_lasting(clearance: Clearance, holder: Target, role: str, values: Mapping[str, Any]) -> None:
    """Nobody gives herself for longer what she holds for a time, or only in a session in which she activated it: 403 otherwise, unless
    she holds ``rbac:escalate``.  ``values``: the columns of the assignment as it shall be."""
    if holder.id != clearance.actor.id or ESCALATE in clearance.held:
        return
    now, ends = clock.now(), values["valid_to"] or clock.ENDLESS
    own = get_subject(clearance.connection, holder.id or "", now).assignments
    lasting = (
        a.role for a in own if a.mode == "active" and a.in_force(now) and (a.ends or clock.ENDLESS) >= ends
    )
    graph = clearance.graph()
    lacking = missing(graph.held_by(lasting), graph.effective[role])
    if lacking:
        raise EscalationDenied(_SENTENCE, missing=list(lacking))
