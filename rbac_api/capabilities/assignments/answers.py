"""Types of answers about who holds which role."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from rbac_api.capabilities.sessions.answers import UserReferenceAnswer
from rbac_api.decision.model import Mode


class AssignmentAnswer(TypedDict):
    """A role assigned to an account."""

    role: str
    mode: Mode
    reason: str | None
    starts_at: datetime
    expires_at: datetime | None
    max_duration: int | None
    assigned_at: datetime
    assigned_by: UserReferenceAnswer | None


class EffectiveRoleAnswer(TypedDict):
    """A role that an account effectively has."""

    role: str
    via: list[str]


class UserRolesAnswer(TypedDict):
    """What an account holds."""

    direct: list[AssignmentAnswer]
    effective: list[EffectiveRoleAnswer]
    permissions: list[str]
