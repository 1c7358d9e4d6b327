"""What can go wrong with sessions and refresh tokens."""

from __future__ import annotations

from rbac_api.errors import Conflict, NotFound, Unauthenticated


class SessionNotFound(NotFound):
    code = "session.not_found"
    title = "No such session"
    default_detail = "There is no session with this id. List them with GET /v1/sessions."


class TokenReused(Unauthenticated):
    """A spent refresh token came back outside the leeway: somebody else may hold a copy (RFC 9700 section 4.14.2)."""

    code = "token.reused"
    title = "The refresh token was used before"
    default_detail = "This refresh token was used before, so its session was ended for safety. Sign in again with POST /v1/auth/login."
    challenge = "invalid_token"


class SessionsCountDiffers(Conflict):
    """What was looked at is no longer what is there."""

    code = "sessions.count_differs"
    title = "Not as many sessions as expected"
    default_detail = "Another number of active sessions fits the filter; 'count' says how many. Nothing was ended: look again."
    example = {"count": 3}  # noqa: RUF012
