"""Types of answers about incidents."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypedDict

from rbac_api.capabilities.sessions.answers import UserReferenceAnswer


class PartyAnswer(TypedDict):
    """Where and when a party was seen."""

    ip: str | None
    user_agent: str | None
    at: datetime | None


class IncidentAnswer(TypedDict):
    """Suspected misuse that needs an investigation."""

    id: str
    type: str
    state: Literal["open", "closed"]
    user: UserReferenceAnswer
    session_id: str | None
    opened_at: datetime
    occurrences: int
    rightful: PartyAnswer
    other: PartyAnswer
    closed_at: datetime | None
    closed_by: str | None
    close_reason: str | None
