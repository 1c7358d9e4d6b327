"""Types of what is said about the use of permissions."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypedDict

from rbac_api.capabilities.sessions.answers import UserReferenceAnswer


class UseWindowAnswer(TypedDict):
    """The time that an answer is about."""

    since: datetime
    until: datetime
    recorded_since: datetime | None


class UnusedPermissionAnswer(TypedDict):
    """A permission that an account holds and did not use."""

    permission: str
    via: list[str]
    last_used: datetime | None


class UnusedRolePermissionAnswer(TypedDict):
    """A permission of a role that no holder of the role used."""

    permission: str
    direct: bool


class PermissionUseAnswer(TypedDict):
    """How often an account used a permission, and on how many days."""

    user: UserReferenceAnswer
    kind: Literal["user", "service_account"]
    times: int
    days: int
    last_used: datetime
