"""Checks the form of a token strictly, before a library sees it; only a token of this service has this
form."""

from __future__ import annotations

import re
from typing import Any

from rbac_api.database.types import UUID
from rbac_api.guard.errors import TokenInvalid
from rbac_verifier import jws

# What servers and proxies accept for a header; ``decision.evaluate.MAX_CLAIM_LENGTH`` keeps tokens below it.
MAX_TOKEN_LENGTH = 8192
TYP = {"access": "at+jwt", "refresh": "rt+jwt"}
_ID = re.compile(UUID)
_IDS = ("sub", "jti", "sid")
_TEXTS = ("iss", "aud", "client_id", "type")
_NUMBERS = ("iat", "nbf", "exp", "auth_time")
KINDS: dict[str, frozenset[str]] = {
    "access": frozenset((*_IDS, *_TEXTS, *_NUMBERS, "roles", "av")),
    "refresh": frozenset((*_IDS, *_TEXTS, *_NUMBERS, "gen")),
}
# ``amr`` (RFC 8176), an access token's claim where a second factor was proved.
_SECOND_FACTOR = ["pwd", "otp"]


def unpack(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and payload of a token, read strictly: a compact JWS as ``rbac_verifier.jws`` reads it,
    with the members of its kind.

    Verifies nothing; ``TokenInvalid`` for anything that is not written exactly as a token of this service.
    """
    try:
        header, payload = jws.unpack(text, MAX_TOKEN_LENGTH)
    except jws.Unverifiable as fault:
        raise TokenInvalid() from fault
    if not fits(header, payload):
        raise TokenInvalid()
    return header, payload


def fits(header: dict[str, Any], payload: dict[str, Any]) -> bool:
    """Return whether these are the members of a token of this service, and no others."""
    return _payload_fits(payload) and jws.header_fits(header, TYP[payload["type"]])


def _amr_fits(payload: dict[str, Any]) -> bool:
    """Return whether ``amr`` is allowed: only an access token may have it, to say that a second factor was
    proved."""
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
