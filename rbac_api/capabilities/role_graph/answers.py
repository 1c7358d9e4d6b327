"""Types of the role graph."""

from __future__ import annotations

from datetime import datetime
from typing import TypedDict

from rbac_api.capabilities.sessions.answers import UserReferenceAnswer
from rbac_api.decision.model import Mode


class GraphRoleAnswer(TypedDict):
    """A role and what it holds directly."""

    name: str
    requires_mfa: bool
    permissions: list[str]


class InheritanceAnswer(TypedDict):
    """A role that inherits another one directly."""

    senior: str
    junior: str


class GraphAssignmentAnswer(TypedDict):
    """A role that the user was assigned, now or from a later time on."""

    role: str
    domain: str
    mode: Mode
    starts_at: datetime
    expires_at: datetime | None


class RoleGraphAnswer(TypedDict):
    """Roles, the inheritance among them, and the user's assignments if one was asked for."""

    roles: list[GraphRoleAnswer]
    inheritance: list[InheritanceAnswer]
    user: UserReferenceAnswer | None
    assignments: list[GraphAssignmentAnswer]


class RoleGraphFilters(TypedDict, total=False):
    """Which part of the graph."""

    role: str
    user: str
