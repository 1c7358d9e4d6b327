"""What each role permits, signed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import orjson

from rbac_api import clock
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.state.published_roles import RolesText
from rbac_api.guard.tokens.signing import SigningKey, sign_bytes
from rbac_api.settings import Settings

TYPE = "roles+jwt"
PERIODS = 12  # if nothing changes, the tag stays the same for so many times RBAC_REVOCATION_SECONDS


@dataclass(frozen=True, slots=True)
class RolesDocument:
    """What the document says, the key that signs it, and its tag, which changes when anything is new."""

    text: RolesText
    key: SigningKey
    tag: str


def current_roles(clearance: Clearance) -> RolesText:
    """What each role permits now."""
    clearance.snapshot.freshen()
    return clearance.snapshot.roles.published.text_of(clearance.snapshot.graph())


def find_roles_document(clearance: Clearance) -> RolesDocument:
    """The document before it is signed.

    The tag also changes from time to time without news: what is signed once is answered many times, and must
    not expire meanwhile.
    """
    text, key = current_roles(clearance), clearance.snapshot.keyring.active()
    facts = (text.digest, key.kid, int(clock.epoch_seconds()) // _period(clearance.settings))
    return RolesDocument(text, key, hashlib.sha256(repr(facts).encode()).hexdigest()[:20])


def signed_roles(clearance: Clearance, document: RolesDocument) -> str:
    """The document as a compact JWS. It expires after two periods of its tag: readers that follow the feed of
    revocations learn there whether it is still the current one."""
    settings, issued = clearance.settings, int(clock.epoch_seconds())
    claims = orjson.dumps(
        {
            "iss": settings.issuer_url,
            "aud": settings.audience,
            "iat": issued,
            "exp": issued + 2 * _period(settings),
            "revision": document.text.revision,
        }
    )
    payload = claims[:-1] + b',"roles":' + document.text.json + b"}"
    return sign_bytes(document.key, TYPE, payload)


def _period(settings: Settings) -> int:
    return PERIODS * settings.revocation_seconds
