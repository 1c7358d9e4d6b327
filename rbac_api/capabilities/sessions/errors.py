"""Errors of sessions and refresh tokens."""

from __future__ import annotations

from rbac_api.errors import Conflict, NotFound, Unauthenticated


class SessionNotFound(NotFound):
    code = "session.not_found"
    title = "No such session"
    default_detail = "There is no session with this id. List them with GET /v1/sessions."


class TokenReused(Unauthenticated):
    """A spent refresh token came back outside the leeway: a thief may hold a copy (RFC 9700 section
    4.14.2)."""

    code = "token.reused"
    title = "The refresh token was already used"
    default_detail = (
        "This refresh token was already used, so its session was ended as a precaution. Sign in again with"
        " POST /v1/auth/login."
    )
    challenge = "invalid_token"


class SessionsCountDiffers(Conflict):
    """The sessions are no longer those that the caller looked at."""

    code = "sessions.count_differs"
    title = "The number of sessions differs from expected_count"
    default_detail = (
        "A different number of active sessions matches the filter; 'count' says how many. No session was"
        " ended. Check the filter and repeat with the new count."
    )
    example = {"count": 3}  # noqa: RUF012
