"""Identifies the caller by the headers of a request, in a service that uses tokens of rbac-api."""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable
from time import monotonic, time
from typing import Any

from rbac_verifier import problems
from rbac_verifier.evaluation import Evaluation
from rbac_verifier.fetch import Source, Unreachable
from rbac_verifier.headers import Headers, credentials
from rbac_verifier.identity import REQUIRED, Identity, fits, identity_of, inside, placed, settles
from rbac_verifier.jws import TooLate, Unverifiable, header_fits, unpack, verify
from rbac_verifier.keys import KeySet
from rbac_verifier.names import ROOT, permission_name
from rbac_verifier.problems import Answer, Refused
from rbac_verifier.revoked import Feed
from rbac_verifier.roles import RoleDocument

MAX_TOKEN_LENGTH = 8192
KEYS_SECONDS = 300.0
_REALM = re.compile(r"[!#-\[\]-~ ]+")
log = logging.getLogger("rbac_verifier")


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
        self,
        headers: Headers,
        *,
        role: str | None = None,
        permission: str | None = None,
        domain: str | None = ROOT,
    ) -> Identity:
        """Return the caller by the ``Authorization`` header.

        ``Refused`` without a valid token, or if it does not name ``role``, or if no role of the caller holds
        ``permission``; both have to count at the ``domain``. What is no domain's name is refused too.

        ``headers`` is the header object of a framework, or an iterable of names and values; names in any
        case.
        """
        identity = self.identify_token(credentials(headers))
        if role is not None:
            needed, there = {"required_role": role}, inside(identity, domain, {"required_role": role})
            if not settles(identity, there, named=role in identity.roles, needed=needed):
                raise problems.incomplete(identity.roles_omitted, placed(needed, there))
        if permission is not None:
            self.require(identity, permission, domain)
        return identity

    def require(self, identity: Identity, permission: str, domain: str | None = ROOT) -> None:
        """``Refused`` unless a caller, just identified, may do what the permission names at the domain.

        ``ValueError`` for an invalid permission name.
        """
        self.decide_by(permission)
        needed = {"required": permission}
        there = inside(identity, domain, needed)
        self._require_current_roles()
        permitted = self._roles.known.permit(identity.roles, permission)
        if not settles(identity, there, named=permitted, needed=needed):
            self._ask(identity, permission, there)

    def decide_by(self, permission: str) -> str:
        """Return the permission, and follow from now on what each role permits.

        ``ValueError`` for an invalid permission name.
        """
        self._decides = bool(permission_name(permission))
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
        return identity_of(claims)

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
            options={"require": REQUIRED, "strict_aud": True},
        )
        if not fits(claims):
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

    def _ask(self, identity: Identity, permission: str, domain: str) -> None:
        """Let the service decide, since the token does not name all roles that may count there."""
        needed = placed({"required": permission}, domain)
        if self._evaluation is None:
            raise problems.incomplete(identity.roles_omitted, needed)
        try:
            allowed = self._evaluation.permits(identity.claims, permission, domain)
        except Unreachable as fault:
            log.warning("the service cannot be asked for a decision: %s", fault)
            raise problems.blind() from fault
        if not allowed:
            raise problems.lacking(needed)

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
