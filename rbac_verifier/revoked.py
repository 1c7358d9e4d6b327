"""Follows the service's signed feed of revocations, and knows how old its content is.

``iat`` of the feed is the time up to which it is complete, and it is signed. An attacker who withholds new
answers, or repeats old ones, only makes the feed visibly out of date.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Any

from rbac_verifier.fetch import MAX_ANSWER_BYTES, Source, one_at_a_time
from rbac_verifier.jws import Unverifiable, header_fits, unpack, verify
from rbac_verifier.keys import KeySet

PATH, TYPE = "/.well-known/revocations", "revocations+jwt"
# the whole feed is read again after so long, so that expired entries are forgotten
FULL_READ_SECONDS = 3600.0
_CURSOR = re.compile(r"[0-9a-f]{16}-[0-9a-f]{16}")
_LISTS = ("sids", "jtis", "kids")


@dataclass(slots=True)
class Known:
    """The revocations up to a cursor; never changed after publication to other threads."""

    cursor: str | None = None
    sids: frozenset[str] = frozenset()
    jtis: frozenset[str] = frozenset()
    kids: frozenset[str] = frozenset()
    users: dict[str, int] = field(default_factory=dict)

    def refuses(self, claims: dict[str, Any], kid: str) -> bool:
        """Return True if a valid token was revoked, or names roles that the user no longer has."""
        return (
            claims["sid"] in self.sids
            or claims["jti"] in self.jtis
            or kid in self.kids
            or claims["av"] < self.users.get(claims["sub"], 0)
        )


class Feed:
    """Follows the feed. ``known`` has its content, ``age`` the seconds since that was complete."""

    def __init__(self, source: Source, keys: KeySet, issuer: str, leeway: int) -> None:
        self._source = source
        self._keys = keys
        self._issuer = issuer
        self._leeway = leeway
        self._following = threading.Lock()
        self._as_of = 0
        self._confirmed_at = float("-inf")  # when that answer was requested, by the monotonic clock
        self._full_read_at = 0.0
        self.known = Known()
        # the digest of the current document of roles, with the two moments above
        self.roles: tuple[str | None, int, float] = (None, 0, float("-inf"))

    @property
    def age(self) -> float:
        """The seconds since the feed was complete, also if this machine's clock was set back."""
        return max(time() - self._as_of, monotonic() - self._confirmed_at)

    def follow(self, enough: Callable[[], bool] = lambda: False) -> None:
        """Read the feed to its end.

        ``Unreachable`` or ``Unverifiable`` if that fails; then ``known`` stays as it is.

        Only one thread reads at a time. A thread that waited returns at once if ``enough`` is true then.
        """
        with one_at_a_time(self._following, self._source.max_wait):
            if enough():
                return
            anew = monotonic() >= self._full_read_at
            known = Known() if anew else self.known
            asked, payload = monotonic(), self._answer(known.cursor)
            known = _joined(known, payload)
            while payload["more"]:
                asked, payload = monotonic(), self._answer(known.cursor)
                known = _joined(known, payload)
            self._keys.withdraw(known.kids)
            self.known = known
            if payload["iat"] > self._as_of:  # a cached answer is not newer
                self._as_of, self._confirmed_at = payload["iat"], asked
            if payload["iat"] >= self._as_of:  # whole seconds
                self.roles = payload.get("roles"), payload["iat"], asked
            self._full_read_at = monotonic() + FULL_READ_SECONDS if anew else self._full_read_at

    def _answer(self, since: str | None) -> dict[str, Any]:
        raw = self._source.get(PATH + (f"?since={since}" if since else ""))
        text = raw.decode("ascii", "replace")
        header, _ = unpack(text, MAX_ANSWER_BYTES)
        key = self._keys.find(header["kid"], header["alg"]) if header_fits(header, TYPE) else None
        if key is None:
            raise Unverifiable("signed by an unknown key")
        options = {"require": ["iss", "iat"], "verify_aud": False}
        payload = verify(text, key, issuer=self._issuer, leeway=self._leeway, options=options)
        if not _fits(payload, since):
            raise Unverifiable("not an answer to this request")
        if payload["iat"] < self._as_of - self._leeway:
            raise Unverifiable("older than the known revocations")
        return payload


def _fits(payload: dict[str, Any], since: str | None) -> bool:
    users, cursor = payload.get("users"), payload.get("cursor")
    lists = [payload.get(name) for name in _LISTS]
    return (
        type(payload["iat"]) is int
        and isinstance(cursor, str)
        and _CURSOR.fullmatch(cursor) is not None
        and payload.get("since") == since
        and isinstance(payload.get("more"), bool)
        and (
            payload.get("complete") is True or (payload.get("complete") is False and cursor >= (since or "~"))
        )
        and all(isinstance(each, list) and all(isinstance(item, str) for item in each) for each in lists)
        and isinstance(payload.get("roles", ""), str)
        and isinstance(users, dict)
        and all(type(version) is int for version in users.values())
    )


def _joined(known: Known, payload: dict[str, Any]) -> Known:
    """Return the revocations after an answer; those known before stay if the answer is not complete."""
    before = Known() if payload["complete"] else known
    users = dict(before.users)
    for user, version in payload["users"].items():
        users[user] = max(version, users.get(user, 0))
    sids, jtis, kids = (frozenset(payload[name]) | getattr(before, name) for name in _LISTS)
    return Known(payload["cursor"], sids, jtis, kids, users)
