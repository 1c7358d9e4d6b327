"""Types of constraints and violations, as services take and return them."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired, TypedDict

from rbac_api.capabilities.sessions.answers import UserReferenceAnswer
from rbac_api.decision.model import ConstraintKind


class ConstraintFacts(TypedDict):
    """A constraint as the trail has it."""

    name: str
    kind: ConstraintKind
    roles: list[str]
    limit: int | None


class ConstraintAnswer(ConstraintFacts):
    """A constraint as the API has it."""

    home: str
    created_at: datetime


class ConstraintBody(TypedDict):
    """A constraint to create."""

    name: str
    kind: ConstraintKind
    roles: list[str]
    limit: NotRequired[int | None]
    home: NotRequired[str]


ViolationAnswer = TypedDict(
    "ViolationAnswer",
    {
        "constraint": str,
        "user": UserReferenceAnswer | None,
        "roles": list[str],
        "domain": str,
        "from": datetime,
        "until": datetime | None,
    },
)
"""A period in which a constraint is violated."""
