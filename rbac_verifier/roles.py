"""Knows what each role permits, from the service's signed document, and how old that knowledge is.

The document is large and changes seldom.  It is read again only when the feed of revocations, which is signed
and read all the time, names another digest than that of the document here.  While it names this one, the
document is as current as the feed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Any

from rbac_verifier.fetch import Source, one_at_a_time
from rbac_verifier.jws import Unverifiable, header_fits, unpack, verify
from rbac_verifier.keys import KeySet
from rbac_verifier.revoked import Feed

PATH, TYPE = "/.well-known/roles", "roles+jwt"
MAX_DOCUMENT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Roles:
    """What each role permits, as of a revision."""

    permissions: dict[str, frozenset[str]] = field(default_factory=dict)
    digest: str | None = None
    revision: int = -1

    def permit(self, roles: Iterable[str], permission: str) -> bool:
        """Return True if one of these roles holds the permission."""
        return any(permission in self.permissions.get(role, ()) for role in roles)


class RoleDocument:
    """Follows the document.  ``known`` has its content, ``age`` the seconds since that was current."""

    def __init__(self, source: Source, keys: KeySet, feed: Feed, expected: dict[str, Any]) -> None:
        self._source = source
        self._keys = keys
        self._feed = feed
        self._expected = expected  # issuer, audience, leeway
        self._following = threading.Lock()
        self._as_of = 0
        self._confirmed_at = float("-inf")
        self.known = Roles()

    @property
    def age(self) -> float:
        """The seconds since the roles here were current, also if this machine's clock was set back."""
        return max(time() - self._as_of, monotonic() - self._confirmed_at)

    def follow(self, enough: Callable[[], bool] = lambda: False) -> None:
        """Read the document if the feed does not name the one that is known.

        ``Unreachable`` or ``Unverifiable`` if that fails; then ``known`` stays as it is.
        """
        with one_at_a_time(self._following, self._source.max_wait):
            if enough():
                return
            named, as_of, asked = self._feed.roles
            if named is None or named != self.known.digest:
                asked, payload = monotonic(), self._read()
                self.known, as_of = self._current(payload, named, as_of), payload["iat"]
            if as_of > self._as_of:
                self._as_of, self._confirmed_at = as_of, asked

    def _current(self, payload: dict[str, Any], named: str | None, as_of: int) -> Roles:
        """Return the content of the document, which the feed named as of that time.

        Another one must be newer than the feed and than what is known, since old ones can be repeated.
        """
        roles = _roles(payload)
        if roles.digest not in (named, self.known.digest) and (
            payload["iat"] < as_of or roles.revision <= self.known.revision
        ):
            raise Unverifiable("older than the known roles")
        return roles

    def _read(self) -> dict[str, Any]:
        text = self._source.get(PATH, past_caches=True, most=MAX_DOCUMENT_BYTES).decode("ascii", "replace")
        header, _ = unpack(text, MAX_DOCUMENT_BYTES)
        key = self._keys.find(header["kid"], header["alg"]) if header_fits(header, TYPE) else None
        if key is None:
            raise Unverifiable("signed by an unknown key")
        options = {"require": ["iss", "aud", "iat", "exp"], "strict_aud": True}
        return verify(text, key, options=options, **self._expected)


def _roles(payload: dict[str, Any]) -> Roles:
    """Return the content of the document; ``Unverifiable`` if it has another form."""
    roles, revision = payload.get("roles"), payload.get("revision")
    if type(payload["iat"]) is not int or type(revision) is not int or not isinstance(roles, dict):
        raise Unverifiable("not a document of roles")
    for permissions in roles.values():
        if not isinstance(permissions, list) or not all(type(each) is str for each in permissions):
            raise Unverifiable("not a list of permissions")
    found = {role: frozenset(permissions) for role, permissions in roles.items()}
    return Roles(found, _digest(roles), revision)


def _digest(roles: dict[str, list[str]]) -> str:
    """Return the SHA-256 of the roles in canonical JSON, as the feed names it."""
    text = json.dumps(roles, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
