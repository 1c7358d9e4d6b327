"""Types of answers that contain tokens."""

from __future__ import annotations

from typing import Literal, TypedDict


class AccessToken(TypedDict):
    """An access token alone, with what its client needs to know about it."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    session_id: str
    password_change_required: bool


class TokensAnswer(AccessToken):
    """A pair of tokens."""

    refresh_token: str
    refresh_expires_in: int
