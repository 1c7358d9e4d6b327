"""What a token of this service looks like, and nothing else does: taken apart strictly, before a library sees it."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from rbac_api.errors import ServiceError
from rbac_api.guard.errors import TokenInvalid
from rbac_api.web.arguments import strict_json
from rbac_api.web.fields import UUID

LONGEST = 8192  # what servers and proxies take for a header; ``decision.evaluate.LONGEST_CLAIM`` keeps tokens below it
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
TYP = {"access": "at+jwt", "refresh": "rt+jwt"}
_ID = re.compile(UUID)
_IDS = ("sub", "jti", "sid")
_TEXTS = ("iss", "aud", "client_id", "type")
_NUMBERS = ("iat", "nbf", "exp", "auth_time")
KINDS: dict[str, frozenset[str]] = {
    "access": frozenset((*_IDS, *_TEXTS, *_NUMBERS, "roles", "av")),
    "refresh": frozenset((*_IDS, *_TEXTS, *_NUMBERS, "gen")),
}
_SECOND_FACTOR = [
    "pwd",
    "otp",
]  # ``amr`` (RFC 8176), an access token's claim where a second factor was proved


def unpack(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and payload of a compact JWS (RFC 7515 section 7.1), strictly: shape, base64url, JSON, members and their types.

    Verifies nothing; ``TokenInvalid`` for whatever is not written exactly as a token of ours.
    """
    if len(text) > LONGEST or not _SHAPE.fullmatch(text):
        raise TokenInvalid()
    head, body, signature = text.split(".")
    _part(signature)
    try:
        header, payload = strict_json(_part(head)), strict_json(_part(body))
    except ServiceError as fault:
        raise TokenInvalid() from fault
    if not (isinstance(header, dict) and isinstance(payload, dict) and fits(header, payload)):
        raise TokenInvalid()
    return header, payload


def fits(header: dict[str, Any], payload: dict[str, Any]) -> bool:
    """Whether a token of ours has these members, and no others."""
    return _payload_fits(payload) and _header_fits(header, payload["type"])


def _part(text: str) -> bytes:
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as fault:
        raise TokenInvalid() from fault
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != text:
        raise TokenInvalid()  # a second spelling of the same bytes
    return raw


def _header_fits(header: dict[str, Any], kind: str) -> bool:
    typ = header.get("typ")
    spelled = isinstance(typ, str) and typ.lower().removeprefix("application/") == TYP[kind]
    return spelled and header.keys() == {"alg", "kid", "typ"}


def _amr_fits(payload: dict[str, Any]) -> bool:
    """An access token may say that a second factor was proved; nothing else is said of how somebody signed in."""
    return "amr" not in payload or (payload["type"], payload["amr"]) == ("access", _SECOND_FACTOR)


def _payload_fits(payload: dict[str, Any]) -> bool:
    kind = payload.get("type")
    if not isinstance(kind, str) or frozenset(payload) - {"amr"} != KINDS.get(kind):
        return False
    texts = all(isinstance(payload[name], str) and payload[name] for name in (*_IDS, *_TEXTS))
    roles = payload.get("roles", [])
    counts = [payload[name] for name in (*_NUMBERS, "av", "gen") if name in payload]
    return (
        texts
        and _amr_fits(payload)
        and all(_ID.fullmatch(payload[name]) for name in _IDS)
        and all(type(count) is int and 0 <= count < 1 << 40 for count in counts)
        and isinstance(roles, list)
        and all(isinstance(role, str) for role in roles)
    )
