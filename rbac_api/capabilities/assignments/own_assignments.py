"""Limits what callers assign to themselves: not for longer than they have it. Part of the service."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rbac_api import clock
from rbac_api.database.queries.subjects import list_assignments
from rbac_api.decision.domains import lineage
from rbac_api.decision.evaluate import ESCALATE, in_force, missing
from rbac_api.decision.model import Assignment
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import EscalationDenied

Counts = Callable[[Assignment], bool]
_SENTENCE = (
    "You hold this only for a time, or while it is active in your session: another user has to "
    "assign it to you for longer."
)


def require_lasting(
    clearance: Clearance,
    values: Mapping[str, Any],
    handed_out: frozenset[str],
    held_through: Callable[[Counts], frozenset[str]] | None = None,
) -> None:
    """403 if the caller, who is the holder, holds only for a time, or by activation in this session, what is
    assigned for longer.

    Holders of ``rbac:escalate`` may, and the unit notes it. ``values``: the columns of the new assignment;
    ``handed_out``: what its role holds. ``held_through``: what the caller holds through those assignments
    that count, where the rows do not say it.
    """
    now, ends, places = clock.now(), values["valid_to"] or clock.ENDLESS, lineage(values["domain"])

    def lasts(one: Assignment) -> bool:
        counts = one.mode == "active" and one.domain in places and in_force(one, now)
        return counts and (one.ends or clock.ENDLESS) >= ends

    held = held_through(lasts) if held_through else _held_through(clearance, lasts)
    if ESCALATE in clearance.held:
        clearance.work.escalated |= not handed_out <= held
        return
    lacking = missing(held, handed_out)
    if lacking:
        raise EscalationDenied(_SENTENCE, missing=list(lacking))


def _held_through(clearance: Clearance, counts: Counts) -> frozenset[str]:
    own = list_assignments(clearance.connection, clearance.actor.id or "", clock.now())
    return clearance.graph().held_by(one.role for one in own if counts(one))
