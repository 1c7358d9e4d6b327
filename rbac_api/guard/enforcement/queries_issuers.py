"""SQL for the issuer of a credential, and for what its account and its issuer can reach."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from rbac_api import clock
from rbac_api.database.queries.subjects import list_assignments_of
from rbac_api.database.tables import trail_events
from rbac_api.decision.domains import counting_at
from rbac_api.decision.evaluate import in_force
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Assignment
from rbac_api.guard.state.queries_history import list_assignments_at
from rbac_api.guard.state.subjects import Issued

# After each of these another user knows a way to the user's password.
_ISSUING = ("user.created", "password.reset", "admin.created", "admin.recovered")


def find_issuer(connection: Connection, user_id: str) -> Issued | None:
    """Return who last issued a setup token or a temporary password for this account; None for the operator
    and the service itself."""
    about = (trail_events.c.target_id == user_id, trail_events.c.action.in_(_ISSUING))
    columns = (trail_events.c.actor_id, trail_events.c.at)
    found = connection.execute(
        select(*columns).where(*about).order_by(trail_events.c.seq.desc()).limit(1)
    ).first()
    return Issued(found.actor_id, found.at) if found is not None and found.actor_id else None


def is_covered(connection: Connection, graph: RoleGraph, account_id: str, issued: Issued) -> bool:
    """Return whether the account holds nothing, now or later, at any domain, that its issuer does not hold
    there, with the current roles or with those of the time of issue."""
    held = list_assignments_of(connection, [account_id, issued.by], clock.now())
    given = held.get(account_id, ())
    if _reaches(graph, held.get(issued.by, ()), given):
        return True
    return _reaches(graph, _assigned_then(connection, issued.by, issued.at), given)


def _reaches(graph: RoleGraph, issuer: Iterable[Assignment], account: Iterable[Assignment]) -> bool:
    """Return whether the issuer holds, at each domain where the account holds anything, what it holds."""
    places: dict[str, set[str]] = {}
    for one in account:
        places.setdefault(one.domain, set()).add(one.role)
    return all(
        graph.held_by(roles) <= graph.held_by(one.role for one in counting_at(issuer, domain))
        for domain, roles in places.items()
    )


def _assigned_then(connection: Connection, user_id: str, at: datetime) -> list[Assignment]:
    assigned = list_assignments_at(connection, [user_id], at)[user_id]
    return [assignment for assignment in assigned if in_force(assignment, at)]
