"""Reads assignments: which roles are assigned to whom, at all domains.

Who decides takes those that count at a domain (``decision.domains``); who asks how strong an account is takes
all of them.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select

from rbac_api.database.tables import assignments, roles, users
from rbac_api.decision.model import Mode


class AssignmentRow(NamedTuple):
    """An assignment with the names of its role and of the user who made it; ``giver`` is None if it was not a
    user."""

    id: str
    user_id: str
    role_id: str
    valid_from: datetime
    valid_to: datetime | None
    reason: str | None
    assigned_by: str | None
    assigned_at: datetime
    mode: Mode
    max_duration: int | None
    domain: str
    role: str
    giver: str | None


_JOINED = assignments.join(roles, assignments.c.role_id == roles.c.id)
_GIVER = users.alias("giver")
DESCRIBED = select(
    *(assignments.c[name] for name in AssignmentRow._fields[:-2]), roles.c.name, _GIVER.c.username
).select_from(_JOINED.outerjoin(_GIVER, assignments.c.assigned_by == _GIVER.c.id))
"""Selects the columns of an ``AssignmentRow``."""
