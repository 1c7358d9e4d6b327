"""A refusal is written down with a number of its own, so that whoever was refused, or an auditor, can have it explained later.

What is kept is what the graph as it was cannot tell any more: what was asked for, whether a second factor was proved, and the roles that
the session was begun with, which may be others by then.
"""

from __future__ import annotations

from datetime import datetime

from flask import request
from sqlalchemy import Connection

from rbac_api.database.types import new_id
from rbac_api.errors import ServiceError
from rbac_api.guard import queries_decisions as queries
from rbac_api.guard.standing import SessionStanding
from rbac_api.trail.recorder import Actor, Target, record

LONGEST_PATH = 192


def add_refusal(
    connection: Connection,
    actor: Actor,
    asked: tuple[str | None, str | None],
    refusal: ServiceError,
    standing: tuple[SessionStanding | None, datetime],
) -> str:
    """Write the event and the decision; the decision's id.  ``asked``: for which permission, which role; ``standing``: in which session,
    and when."""
    permission, role = asked[0] or refusal.members.get("required"), asked[1]
    path = request.path.replace("\0", "")  # which no database can hold
    facts = {"code": refusal.code, "method": request.method, "path": path, "required": permission or role}
    target, reason = Target("operation", path[:LONGEST_PATH]), refusal.detail
    seq = record(connection, actor, "access.refused", target, outcome="refused", reason=reason, after=facts)
    session, at = standing
    chosen = session.roles.chosen if session is not None else None
    row = {
        "id": new_id(), "seq": seq, "at": at, "user_id": actor.id, "session_id": actor.session_id, "permission": permission, "role": role,
        "code": refusal.code, "detail": refusal.detail, "second_factor": session is not None and session.second_factor,
        "chosen_roles": None if chosen is None else " ".join(sorted(chosen)),
    }  # fmt: skip
    queries.add_decision(connection, row)
    return str(row["id"])
