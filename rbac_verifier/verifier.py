"""Identifies the caller by the headers of a request, in a service that uses tokens of rbac-api."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, time
from typing import Any

from rbac_verifier import problems
from rbac_verifier.evaluation import Evaluation
from rbac_verifier.fetch import Source, Unreachable
from rbac_verifier.headers import Headers, credentials
from rbac_verifier.jws import TooLate, Unverifiable, header_fits, unpack, verify
from rbac_verifier.keys import KeySet
from rbac_verifier.problems import Answer, Refused
from rbac_verifier.revoked import Feed
from rbac_verifier.roles import RoleDocument

MAX_TOKEN_LENGTH = 8192
KEYS_SECONDS = 300.0
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TEXTS = ("iss", "sub", "client_id", "jti", "sid", "type")
_NUMBERS = ("iat", "nbf", "exp", "auth_time", "av")
_REQUIRED = [*_TEXTS, *_NUMBERS, "aud", "roles"]
_REALM = re.compile(r"[!#-\[\]-~ ]+")
# The same rules as in rbac_api.decision.naming, which this package does not import; a test compares them.
_ROLE = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,126}")
_NO_ROLE = (
    "{!r} is not a role name. Use a letter, then letters, digits, '.', '_' or '-'; at most 127 characters."
)
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_PERMISSION = re.compile(f"(?=.{{3,200}}$){_PART}(:{_PART}){{1,3}}")
_NO_PERMISSION = (
    "{!r} is not a permission name. Use two to four parts joined by ':', such as invoices:approve; each part"
    " is a letter or digit, then letters, digits, '.', '_' or '-'; at most 200 characters."
)
log = logging.getLogger("rbac_verifier")


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller, as a verified token describes it.

    ``roles`` are role names, those at the time of issue or later.  ``roles_omitted``: how many more the
    caller has, which did not fit into the token.
    """

    user_id: str
    session_id: str
    client_id: str
    roles: frozenset[str]
    claims: dict[str, Any]
    roles_omitted: int = 0


class Verifier:
    """Verifies tokens; make one per process (also before a fork).

    ``issuer`` and ``audience`` are RBAC_ISSUER and RBAC_AUDIENCE of the service.

    A revocation takes effect here within ``poll_seconds`` + RBAC_REVOCATION_SECONDS (if there is a cache
    between) + the time of one answer. If the feed could not be read for ``bound_seconds``, every token is
    refused with 503. With ``trusts_when_blind``, tokens are then accepted until they expire, as if there were
    no revocations. ``service`` is the URL of the service, if it is not the issuer.

    ``client``: id and secret of a service account that may ask the service for decisions
    (``access:evaluate``), for callers whose token does not name all of their roles.
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
        client: tuple[str, str] | None = None,
    ) -> None:
        if not issuer or not audience or not _REALM.fullmatch(audience):
            raise ValueError(
                "a verifier needs an issuer and an audience, or it would accept tokens that are for "
                "other services"
            )
        if not 0 < poll_seconds < bound_seconds:
            raise ValueError("bound_seconds must be more than poll_seconds, or every token would be refused")
        self._issuer, self._audience, self._leeway = issuer, audience, leeway
        self._poll, self._bound, self._trusts = poll_seconds, bound_seconds, trusts_when_blind
        source = Source(service or issuer, timeout)
        self._keys = KeySet(source)
        self._feed = Feed(source, self._keys, issuer, leeway)
        expected = {"issuer": issuer, "audience": audience, "leeway": leeway}
        self._roles = RoleDocument(source, self._keys, self._feed, expected)
        self._decides = False  # by permission, so that the document of roles is needed
        self._evaluation = Evaluation(source, *client) if client else None
        self._tried = self._roles_tried = float("-inf")
        self._follower: tuple[int, threading.Thread] | None = None
        self._starting = threading.Lock()
        self._stopping = threading.Event()

    def identify(
        self, headers: Headers, *, role: str | None = None, permission: str | None = None
    ) -> Identity:
        """Return the caller by the ``Authorization`` header.

        ``Refused`` without a valid token, or if it does not name ``role``, or if no role of the caller holds
        ``permission``.

        ``headers`` is the header object of a framework, or an iterable of names and values; names in any
        case.
        """
        identity = self.identify_token(credentials(headers))
        if role is not None and role not in identity.roles:
            omitted, members = identity.roles_omitted, {"required_role": role}
            raise problems.incomplete(omitted, members) if omitted else problems.lacking(role)
        if permission is not None:
            self.require(identity, permission)
        return identity

    def require(self, identity: Identity, permission: str) -> None:
        """``Refused`` unless a caller, just identified, may do what the permission names.

        ``ValueError`` for an invalid permission name.
        """
        self.decide_by(permission)
        self._require_current_roles()
        if self._roles.known.permit(identity.roles, permission):
            return
        if identity.roles_omitted:
            self._ask(identity, permission)
        else:
            raise problems.lacking_permission(permission)

    def decide_by(self, permission: str) -> str:
        """Return the permission, and follow from now on what each role permits.

        ``ValueError`` for an invalid permission name.
        """
        if not _PERMISSION.fullmatch(permission):
            raise ValueError(_NO_PERMISSION.format(permission))
        self._decides = True
        return permission

    def identify_token(self, token: str) -> Identity:
        """Return the holder of an access token; ``Refused`` with the reason if it is not accepted."""
        self._start()
        try:
            claims, kid = self._claims(token)
        except TooLate as fault:
            raise problems.expired() from fault
        except Unverifiable as fault:
            raise problems.invalid() from fault
        except Unreachable as fault:
            raise problems.blind() from fault
        self._require_current_feed()
        if self._feed.known.refuses(claims, kid):
            raise problems.revoked()
        roles, omitted = frozenset(claims["roles"]), claims.get("roles_omitted", 0)
        return Identity(claims["sub"], claims["sid"], claims["client_id"], roles, claims, omitted)

    def answer_to(self, refused: Refused) -> Answer:
        """Return the answer for a refused caller: status, headers and a problem document."""
        return problems.answer_to(refused, self._issuer, self._audience)

    def close(self) -> None:
        """Stop following the feed."""
        self._stopping.set()
        if self._follower is not None:
            self._follower[1].join()

    def _claims(self, text: str) -> tuple[dict[str, Any], str]:
        header, _ = unpack(text, MAX_TOKEN_LENGTH)
        key = self._keys.find(header["kid"], header["alg"]) if header_fits(header, "at+jwt") else None
        if key is None:
            raise Unverifiable("signed by an unknown key")
        claims = verify(
            text,
            key,
            issuer=self._issuer,
            audience=self._audience,
            leeway=self._leeway,
            options={"require": _REQUIRED, "strict_aud": True},
        )
        if not _fits(claims):
            raise Unverifiable("the claims do not have the required form")
        if time() >= claims["exp"]:
            raise TooLate("expired")
        return claims, key.kid

    def _require_current_feed(self) -> None:
        """Require a feed that is current enough; else read it once more, else refuse."""
        if self._feed.age <= self._bound or self._trusts:
            return
        before = self._tried
        if monotonic() - before >= self._poll:
            self._follow(lambda: self._feed.age <= self._bound or self._tried > before)
        if self._feed.age > self._bound:
            raise problems.blind()

    def _require_current_roles(self) -> None:
        """Require a document of roles that is current enough; else read it once more, else refuse."""
        if self._roles.age <= self._bound:
            return
        before = self._roles_tried
        if monotonic() - before >= self._poll:
            self._follow_roles(lambda: self._roles.age <= self._bound or self._roles_tried > before)
        if self._roles.age > self._bound and not (self._trusts and self._roles.known.digest):
            raise problems.blind()

    def _ask(self, identity: Identity, permission: str) -> None:
        """Let the service decide, since the token does not name all roles."""
        if self._evaluation is None:
            raise problems.incomplete(identity.roles_omitted, {"required": permission})
        try:
            allowed = self._evaluation.permits(identity.claims, permission)
        except Unreachable as fault:
            log.warning("the service cannot be asked for a decision: %s", fault)
            raise problems.blind() from fault
        if not allowed:
            raise problems.lacking_permission(permission)

    def _follow_roles(self, enough: Callable[[], bool] = lambda: False) -> None:
        try:
            self._roles.follow(enough)
        except (Unreachable, Unverifiable) as fault:
            log.warning("the permissions of the roles cannot be read: %s", fault)
        finally:
            self._roles_tried = monotonic()

    def _follow(self, enough: Callable[[], bool] = lambda: False) -> None:
        try:
            self._feed.follow(enough)
        except (Unreachable, Unverifiable) as fault:
            log.warning("the revocation feed cannot be read: %s", fault)
        finally:
            self._tried = monotonic()

    def _start(self) -> None:
        """Start the thread that follows the feed; after a fork the child process needs its own."""
        if self._follower is None or self._follower[0] != os.getpid():
            with self._starting:
                if (
                    self._follower is None or self._follower[0] != os.getpid()
                ) and not self._stopping.is_set():
                    thread = threading.Thread(target=self._keep_following, name="rbac-verifier", daemon=True)
                    self._follower = (os.getpid(), thread)
                    thread.start()

    def _keep_following(self) -> None:
        keys_at = monotonic() + KEYS_SECONDS
        while True:
            try:
                self._follow()
                if self._decides:
                    self._follow_roles()
                if monotonic() >= keys_at:
                    keys_at = monotonic() + KEYS_SECONDS
                    self._refresh_keys()
            except Exception:  # what was not read ages, and the verifier refuses; the next poll may succeed
                log.exception("the service cannot be followed")
            if self._stopping.wait(self._poll):
                return

    def _refresh_keys(self) -> None:
        try:
            self._keys.fetch()
        except Unreachable as fault:
            log.warning("the public keys cannot be read: %s", fault)


def role_name(role: str) -> str:
    """Return the role; ``ValueError`` if it cannot be a role's name."""
    if not _ROLE.fullmatch(role):
        raise ValueError(_NO_ROLE.format(role))
    return role


def _fits(claims: dict[str, Any]) -> bool:
    roles, omitted = claims["roles"], claims.get("roles_omitted", 0)
    return (
        claims["type"] == "access"
        and all(isinstance(claims[name], str) and claims[name] for name in _TEXTS)
        and all(_ID.fullmatch(claims[name]) for name in ("sub", "jti", "sid"))
        and all(type(claims[name]) is int and 0 <= claims[name] < 1 << 40 for name in _NUMBERS)
        and isinstance(roles, list)
        and all(isinstance(role, str) for role in roles)
        and type(omitted) is int
        and 0 <= omitted < 1 << 40
    )
