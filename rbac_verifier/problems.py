"""The answers to refused callers: problem documents (RFC 9457) and Bearer challenges (RFC 6750).

They have the form of the service's own answers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)
class Refused(Exception):
    """Why a caller is refused."""

    status: int
    code: str
    title: str
    detail: str
    error: str | None = None  # of the challenge
    members: dict[str, Any] = field(default_factory=dict)


def missing() -> Refused:
    """There are no credentials: the challenge has no ``error`` (RFC 6750 section 3.1)."""
    detail = "Sign in first: send an access token as 'Authorization: Bearer <token>'."
    return Refused(401, "token.missing", "Sign-in required", detail)


def repeated() -> Refused:
    """There is more than one set of credentials (RFC 6750 section 3.1)."""
    detail = (
        "The request has more than one Authorization header, or several credentials in one. Send a "
        "single one."
    )
    title = "More than one set of credentials"
    return Refused(400, "credentials.repeated", title, detail, "invalid_request")


def invalid() -> Refused:
    """The token is not valid, for any reason."""
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
    """The token was revoked, or the user's roles have changed."""
    detail = "The token was revoked, or its roles are out of date. Refresh it; if that fails, sign in again."
    return Refused(401, "token.revoked", "The token was revoked", detail, "invalid_token")


def lacking(members: dict[str, Any]) -> Refused:
    """The caller is known and lacks the role, or no role of the token holds the permission."""
    role, permission = members.get("required_role"), members.get("required")
    needed = f"the permission {permission}" if role is None else f"the role {role}"
    detail = f"You need {needed}{_where(members)}."
    return Refused(403, "access.denied", "Permission missing", detail, "insufficient_scope", members)


def outside(members: dict[str, Any], acting: str) -> Refused:
    """The session of the token acts at another domain."""
    refused = lacking(members)
    refused.detail += (
        f" The session acts at {acting} and below only: sign in without a domain, or at this one."
    )
    return refused


def _where(members: dict[str, Any]) -> str:
    return f" at {members['domain']}" if "domain" in members else ""


def incomplete(omitted: int, members: dict[str, Any]) -> Refused:
    """The token does not name all roles of the caller, so one that is missing may suffice."""
    detail = (
        f"The token does not name {omitted} of your roles, because they did not fit, and this service cannot "
        "find out whether one of them is enough. Sign in with only the roles that you need here."
        if omitted
        else f"The token does not say what you may do{_where(members)}, and this service cannot find out. "
        "Sign in at this domain."
    )
    title = "The token does not name all roles"
    return Refused(403, "roles.incomplete", title, detail, "insufficient_scope", members)


def blind() -> Refused:
    """The state of the token cannot be checked now."""
    detail = (
        "Whether this token was revoked cannot be checked right now. Try again after the number of "
        "seconds in Retry-After."
    )
    return Refused(503, "service.unavailable", "Temporarily unavailable", detail)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer to a refused caller, for any framework."""

    status: int
    headers: dict[str, str]
    body: bytes


def answer_to(refused: Refused, issuer: str, realm: str) -> Answer:
    """Return the whole answer; its ``type`` links to the service's page about the code."""
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
