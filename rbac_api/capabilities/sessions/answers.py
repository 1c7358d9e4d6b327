"""Types of sessions and refresh-token records, as the services return them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypedDict


class UserReferenceAnswer(TypedDict):
    """A user or service account, by id and name."""

    id: str
    username: str


def user_reference(user_id: str | None, username: str | None) -> UserReferenceAnswer | None:
    """Return an account for an answer; None where there is none."""
    return {"id": user_id, "username": username} if user_id and username else None


class SessionActorAnswer(TypedDict):
    """Who ended a session."""

    type: Literal["user", "service"]
    id: str
    name: str


class SessionAnswer(TypedDict):
    """One sign-in."""

    id: str
    user: UserReferenceAnswer
    state: Literal["active", "ended"]
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    ip: str | None
    user_agent: str | None
    client_id: str
    amr: list[str]
    roles: list[str] | None
    domain: str | None
    ended_at: datetime | None
    ended_by: SessionActorAnswer | None
    end_reason: str | None


class SessionInsideAnswer(SessionAnswer):
    """One sign-in, and the roles and permissions that are effective in it now."""

    active_roles: list[str]
    permissions: list[str]


class OwnSessionAnswer(SessionAnswer):
    """One of the caller's own sign-ins."""

    current: bool


class RefreshTokenAnswer(TypedDict):
    """The record of a refresh token."""

    jti: str
    generation: int
    issued_at: datetime
    expires_at: datetime
    spent_at: datetime | None
    replaced_by: str | None
    ip: str | None


class SessionFilters(TypedDict, total=False):
    """Which sessions to list."""

    state: str
    user: str | None
    role: str | None
    ip: str | None
    created_after: datetime | None
    created_before: datetime | None
    at: datetime | None
