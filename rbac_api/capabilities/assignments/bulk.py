"""Giving roles, one or thousands at once, as one thing and in a few statements.  Part of the service.

Whoever calls knows that nobody has the role yet that she is to be given.  Nothing is written unless all of it may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rbac_api import clock
from rbac_api.capabilities.assignments import queries
from rbac_api.capabilities.assignments.own import require_lasting
from rbac_api.capabilities.assignments.terms import Terms, require_activatable, told
from rbac_api.capabilities.constraints.service import require_constraints
from rbac_api.capabilities.users.service import note_authority_change
from rbac_api.database.batches import batched
from rbac_api.database.types import new_id
from rbac_api.guard.clearance import Clearance
from rbac_api.trail.recorder import Happening, Target, record_all

AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Gift:
    """A role for somebody, and the terms."""

    holder: Target
    role: str
    terms: Terms


def give_roles(clearance: Clearance, gifts: Sequence[Gift]) -> list[str]:
    """Give them, with an event each; the ids of the assignments.

    The first that may not be given is raised; 409 ``constraint.violated``.
    """
    now = clock.now()
    for gift in gifts:
        _require(clearance, gift, now)
    return _write(clearance, gifts, now)


def _write(clearance: Clearance, gifts: Sequence[Gift], now: datetime) -> list[str]:
    """``now``: the moment at which their terms were looked at."""
    ids = queries.find_role_ids(clearance.connection, {gift.role for gift in gifts})
    happened: list[Happening] = []
    written: list[str] = []
    for some in batched(gifts, AT_ONCE):
        rows: list[dict[str, Any]] = []
        for gift in some:
            values = gift.terms.settled(None, now)
            whose = {"user_id": gift.holder.id, "role_id": ids[gift.role], "assigned_by": clearance.actor.id}
            rows.append({"id": new_id(), **whose, "assigned_at": now, **values})
            happened.append((gift.holder, gift.terms.reason, {"role": gift.role, **told(values, now)}))
        queries.add_assignments(clearance.connection, rows)
        written += [row["id"] for row in rows]
    holders = sorted({gift.holder.id or "" for gift in gifts})
    note_authority_change(clearance, holders)
    record_all(clearance.connection, clearance.actor, "assignment.created", happened)
    require_constraints(clearance, users=holders, roles=sorted(ids))
    return written


def _require(clearance: Clearance, gift: Gift, now: datetime) -> None:
    values = gift.terms.settled(None, now)
    require_activatable(gift.holder, values)
    handed_out = clearance.graph().effective[gift.role]
    clearance.require_held(handed_out, values["valid_to"])
    require_lasting(clearance, gift.holder, values, handed_out)
    clearance.require_outranks_user(gift.holder.id or "", gift.holder.name or "")
