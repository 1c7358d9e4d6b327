"""Types of answers about who holds which role."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired, TypedDict

from rbac_api.capabilities.sessions.answers import UserReferenceAnswer
from rbac_api.decision.model import Mode


class AssignmentAnswer(TypedDict):
    """A role assigned to an account."""

    role: str
    domain: str
    mode: Mode
    reason: str | None
    starts_at: datetime
    expires_at: datetime | None
    max_duration: int | None
    assigned_at: datetime
    assigned_by: UserReferenceAnswer | None


class ListedAssignmentAnswer(AssignmentAnswer):
    """An assignment in the list of all, with the account that has it."""

    user: UserReferenceAnswer
    kind: Literal["user", "service_account"]
    state: Literal["current", "scheduled", "ended"]


class AssignmentFilters(TypedDict):
    """Which assignments to list."""

    state: Literal["current", "scheduled", "ended", "all"]
    user: NotRequired[str]
    role: NotRequired[str]
    domain: NotRequired[str]
    mode: NotRequired[Mode]
    expires_before: NotRequired[datetime]
    without_reason: NotRequired[bool]
    assigned_by: NotRequired[str]
    at: NotRequired[datetime]


class EffectiveRoleAnswer(TypedDict):
    """A role that an account effectively has."""

    role: str
    via: list[str]


class UserRolesAnswer(TypedDict):
    """What an account holds."""

    direct: list[AssignmentAnswer]
    effective: list[EffectiveRoleAnswer]
    permissions: list[str]


class RefusalAnswer(TypedDict):
    """Why an assignment would be refused."""

    code: str
    detail: str


class AvailableRoleAnswer(TypedDict):
    """A role, and whether the caller may assign it to the user."""

    role: str
    may: bool
    because: list[RefusalAnswer]
    missing: list[str]
