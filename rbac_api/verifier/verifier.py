"""The decorators for a service that has our tokens and nothing else of ours."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from flask import g, request

from rbac_api import clock
from rbac_api.verifier import problems
from rbac_api.verifier.fetch import Source, Unreachable
from rbac_api.verifier.jose import TooLate, Unverifiable, unpack, verify
from rbac_api.verifier.keys import KeySet
from rbac_api.verifier.revoked import Feed

F = TypeVar("F", bound=Callable[..., Any])
LONGEST = 8192
KEYS_SECONDS = 300.0
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TEXTS = ("iss", "sub", "client_id", "jti", "sid", "type")
_NUMBERS = ("iat", "nbf", "exp", "auth_time", "av")
_REQUIRED = [*_TEXTS, *_NUMBERS, "aud", "roles"]
_ANOTHER = re.compile(r",[ \t]*((bearer|basic|digest|negotiate|dpop)([ \t,]|$)|$)", re.IGNORECASE)
_REALM = re.compile(r"[!#-\[\]-~ ]+")
# As rbac_api.decision.naming has it, which this package does without; a test holds the two together.
_ROLE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,126}")
_NO_ROLE = (
    "{!r} is not a role name. Use a letter, then letters, digits, '.', '_' or '-'; at most 127 characters."
)
log = logging.getLogger("rbac_api.verifier")


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: what a verified token says.  ``roles`` are names, those of the moment in which it was issued or of one less old."""

    user_id: str
    session_id: str
    client_id: str
    roles: frozenset[str]
    claims: dict[str, Any]


class Verifier:
    """One per process (it may be made before a fork).  ``issuer`` and ``audience`` are RBAC_ISSUER and RBAC_AUDIENCE of the service.

    A revocation is in force here within ``poll_seconds`` + RBAC_REVOCATION_SECONDS (if a cache stands between) + the time one answer takes.
    When the feed could not be followed for ``bound_seconds``, every token is refused with 503, unless ``trusts_when_blind``: then tokens
    are honoured until they expire, as if there were no revocation.  ``service`` is the address to reach it at, if that is not the issuer.
    """

    def __init__(  # noqa: PLR0913 -- settings, all but two with a default
        self,
        issuer: str,
        audience: str,
        *,
        service: str | None = None,
        poll_seconds: float = 2.0,
        bound_seconds: float = 15.0,
        timeout: float = 2.0,
        leeway: int = 5,
        trusts_when_blind: bool = False,
    ) -> None:
        if not issuer or not audience or not _REALM.fullmatch(audience):
            raise ValueError(
                "a verifier needs an issuer and an audience, or it would honour tokens that are for others"
            )
        if not 0 < poll_seconds < bound_seconds:
            raise ValueError("bound_seconds must be more than poll_seconds, or every token would be refused")
        self._issuer, self._audience, self._leeway = issuer, audience, leeway
        self._poll, self._bound, self._trusts = poll_seconds, bound_seconds, trusts_when_blind
        source = Source(service or issuer, timeout)
        self._keys = KeySet(source)
        self._feed = Feed(source, self._keys, issuer, leeway)
        self._tried = float("-inf")
        self._follower: tuple[int, threading.Thread] | None = None
        self._starting = threading.Lock()
        self._stopping = threading.Event()

    def signed_in(self, view: F) -> F:
        """Let only holders of a good token through."""
        return self._guarded(view, None)

    def requires_role(self, role: str) -> Callable[[F], F]:
        """Let only holders of a good token through that names ``role``.  ``ValueError`` for what cannot be a role's name."""
        if not _ROLE.fullmatch(role):
            raise ValueError(_NO_ROLE.format(role))
        return lambda view: self._guarded(view, role)

    def identify(self, text: str) -> Identity:
        """Who presents this access token; ``problems.Refused`` with the reason why nobody is let through with it."""
        self._start()
        try:
            claims, kid = self._claims(text)
        except TooLate as fault:
            raise problems.expired() from fault
        except Unverifiable as fault:
            raise problems.invalid() from fault
        except Unreachable as fault:
            raise problems.blind() from fault
        self._require_sight()
        if self._feed.known.refuses(claims, kid):
            raise problems.revoked()
        roles = frozenset(claims["roles"])
        return Identity(claims["sub"], claims["sid"], claims["client_id"], roles, claims)

    def close(self) -> None:
        """Stop following."""
        self._stopping.set()
        if self._follower is not None:
            self._follower[1].join()

    def _guarded(self, view: F, role: str | None) -> F:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                identity = self.identify(_credentials())
                if role is not None and role not in identity.roles:
                    raise problems.lacking(role)
            except problems.Refused as refused:
                return problems.answer_to(refused, self._issuer, self._audience)
            g.rbac_identity = identity
            return view(*args, **kwargs)

        guarded.access = f"role {role}" if role else "signed in"  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    def _claims(self, text: str) -> tuple[dict[str, Any], str]:
        header, _ = unpack(text, "at+jwt", LONGEST)
        key = self._keys.find(header["kid"], header["alg"])
        if key is None:
            raise Unverifiable("signed by nobody we know")
        claims = verify(
            text,
            key,
            issuer=self._issuer,
            audience=self._audience,
            leeway=self._leeway,
            options={"require": _REQUIRED, "strict_aud": True},
        )
        if not _fits(claims):
            raise Unverifiable("claims of another form")
        if clock.epoch_seconds() >= claims["exp"]:
            raise TooLate("expired")
        return claims, key.kid

    def _require_sight(self) -> None:
        """Know what is revoked, up to a moment not too long ago; else try once more, else refuse."""
        if self._feed.age <= self._bound or self._trusts:
            return
        before = self._tried
        if clock.monotonic() - before >= self._poll:
            self._follow(lambda: self._feed.age <= self._bound or self._tried > before)
        if self._feed.age > self._bound:
            raise problems.blind()

    def _follow(self, enough: Callable[[], bool] = lambda: False) -> None:
        try:
            self._feed.follow(enough)
        except (Unreachable, Unverifiable) as fault:
            log.warning("the feed of revocations cannot be followed: %s", fault)
        finally:
            self._tried = clock.monotonic()

    def _start(self) -> None:
        """A thread of this very process follows the feed; one from before a fork is not there any more."""
        if self._follower is None or self._follower[0] != os.getpid():
            with self._starting:
                if (
                    self._follower is None or self._follower[0] != os.getpid()
                ) and not self._stopping.is_set():
                    thread = threading.Thread(target=self._keep_following, name="rbac-verifier", daemon=True)
                    self._follower = (os.getpid(), thread)
                    thread.start()

    def _keep_following(self) -> None:
        keys_at = clock.monotonic() + KEYS_SECONDS
        while True:
            self._follow()
            if clock.monotonic() >= keys_at:
                keys_at = clock.monotonic() + KEYS_SECONDS
                self._refresh_keys()
            if self._stopping.wait(self._poll):
                return

    def _refresh_keys(self) -> None:
        try:
            self._keys.fetch()
        except Unreachable as fault:
            log.warning("the public keys cannot be read: %s", fault)


def current_identity() -> Identity:
    """Who asks; only inside a view under one of the decorators."""
    identity: Identity = g.rbac_identity
    return identity


def _credentials() -> str:
    """The bearer token of the Authorization header (RFC 6750 section 2.1)."""
    header: str = request.environ.get("HTTP_AUTHORIZATION", "").strip(" \t")
    scheme, _, rest = header.partition(" ")
    if _ANOTHER.search(header):
        raise problems.repeated()
    if scheme.lower() != "bearer" or not rest.strip(" \t"):
        raise problems.missing()
    return rest.strip(" ")


def _fits(claims: dict[str, Any]) -> bool:
    roles = claims["roles"]
    return (
        claims["type"] == "access"
        and all(isinstance(claims[name], str) and claims[name] for name in _TEXTS)
        and all(_ID.fullmatch(claims[name]) for name in ("sub", "jti", "sid"))
        and all(type(claims[name]) is int and 0 <= claims[name] < 1 << 40 for name in _NUMBERS)
        and isinstance(roles, list)
        and all(isinstance(role, str) for role in roles)
    )
