"""Types of explanations, comparisons and lists of holders."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NotRequired, TypedDict

from rbac_api.capabilities.sessions.answers import UserReferenceAnswer
from rbac_api.decision.model import Mode, Status


class StepAnswer(TypedDict):
    """One step of a path."""

    kind: Literal["assignment", "inherits", "permission"]
    role: str
    junior: NotRequired[str]
    permission: NotRequired[str]
    domain: NotRequired[str]
    mode: NotRequired[Mode]
    starts_at: NotRequired[datetime]
    who: UserReferenceAnswer | None
    when: datetime
    why: str | None
    until: datetime | None


class ReasonAnswer(TypedDict):
    """A reason for a refusal."""

    code: str
    detail: str


class Described(TypedDict):
    """An explanation, whatever session it is about."""

    decision: bool
    paths: list[list[StepAnswer]]
    because: list[ReasonAnswer]
    nearest: list[str]
    truncated: bool


class AccessAnswer(Described):
    """Whether an account may do something, and why."""

    second_factor: bool


class HeldPermissionAnswer(TypedDict):
    """A permission that an account has, and every path to it."""

    permission: str
    paths: list[list[StepAnswer]]
    truncated: bool


class DecisionAnswer(AccessAnswer):
    """A refusal, explained with the state of its time."""

    id: str
    seq: int
    at: datetime
    user: UserReferenceAnswer | None
    session_id: str | None
    method: str
    path: str
    permission: str | None
    role: str | None
    domain: str
    code: str
    detail: str


class HolderAnswer(TypedDict):
    """An account that has a role or a permission."""

    user: UserReferenceAnswer
    kind: Literal["user", "service_account"]
    status: Status
    direct: bool
    via: list[str]
    mode: Mode
    expires_at: datetime | None


class ChangedPermissionAnswer(TypedDict):
    """A permission, and what caused its gain or loss."""

    permission: str
    seq: int | None


class DiffAnswer(TypedDict):
    """What changed between two moments."""

    gained: list[ChangedPermissionAnswer]
    lost: list[ChangedPermissionAnswer]


class DiffFilters(TypedDict):
    """What to compare, and the two moments."""

    from_: datetime
    to: NotRequired[datetime]
    domain: str
    user: NotRequired[str]
    role: NotRequired[str]
