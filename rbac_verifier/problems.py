"""The answers of a guarded endpoint: problem documents (RFC 9457) and Bearer challenges (RFC 6750), as the service itself gives them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Refused(Exception):
    """Why somebody is not let through."""

    status: int
    code: str
    title: str
    detail: str
    error: str | None = None  # of the challenge
    members: dict[str, Any] = field(default_factory=dict)


def missing() -> Refused:
    """No credentials: the challenge carries no ``error`` (RFC 6750 section 3.1)."""
    detail = "Sign in first: send an access token as 'Authorization: Bearer <token>'."
    return Refused(401, "token.missing", "Sign-in required", detail)


def repeated() -> Refused:
    """More than one set of credentials (RFC 6750 section 3.1)."""
    detail = "The request has more than one Authorization header, or several credentials in one. Send a single one."
    title = "More than one set of credentials"
    return Refused(400, "credentials.repeated", title, detail, "invalid_request")


def invalid() -> Refused:
    """Whatever is wrong with it."""
    return Refused(
        401,
        "token.invalid",
        "The token is not valid",
        "This token is not valid here. Sign in again.",
        "invalid_token",
    )


def expired() -> Refused:
    """It was good."""
    detail = "The token has expired. Refresh it with the service that issued it."
    return Refused(401, "token.expired", "The token has expired", detail, "invalid_token")


def revoked() -> Refused:
    """It would be good still, had nothing been taken back."""
    detail = "The token was revoked, or its roles are out of date. Refresh it; if that fails, sign in again."
    return Refused(401, "token.revoked", "The token was revoked", detail, "invalid_token")


def lacking(role: str) -> Refused:
    """Somebody we know, without the role."""
    members = {"required_role": role}
    detail = f"You need the role {role}."
    return Refused(403, "access.denied", "Permission missing", detail, "insufficient_scope", members)


def blind() -> Refused:
    """Whether the token is good cannot be told now."""
    detail = "Whether this token was revoked cannot be checked right now. Try again after the number of seconds in Retry-After."
    return Refused(503, "service.unavailable", "Temporarily unavailable", detail)


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal as HTTP, for any framework."""

    status: int
    headers: dict[str, str]
    body: bytes


def answer_to(refused: Refused, issuer: str, realm: str) -> Answer:
    """The whole answer; the service's own pages say what a code means."""
    body = {
        "type": f"{issuer.rstrip('/')}/problems/{refused.code}",
        "title": refused.title,
        "status": refused.status,
        "detail": refused.detail,
        "code": refused.code,
        **refused.members,
    }
    headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store"}
    if refused.status == 503:
        headers["Retry-After"] = "1"
    else:
        headers["WWW-Authenticate"] = _challenge(refused, realm)
    return Answer(refused.status, headers, json.dumps(body).encode())


def _challenge(refused: Refused, realm: str) -> str:
    parts = [f'Bearer realm="{realm}"']
    if refused.error:
        parts += [f'error="{refused.error}"', f'error_description="{refused.title}"']
    return ", ".join(parts)
