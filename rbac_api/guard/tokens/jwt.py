"""Makes and verifies tokens: signed by PyJWT, read strictly, verified once through Flask-JWT-Extended,
checked against the state on every use.

Only this module imports ``flask_jwt_extended``.  The library accepts more than this service does (tokens
without ``exp``, ``jti`` or ``type``, any ``typ``, a signature with ``=`` appended), so the form of every
token is first checked strictly (``unpack``).

The library keeps its configuration and its manager in the current application.  A host (``protect``) may use
the library for tokens of its own, so ours lives in a small application that is current only while a token is
read.  An application of ours has it too (``register``), so that ``@jwt_required`` on a route added there
gives the same answers.

A verified token is remembered by the SHA-256 of its text: that saves the signature check, never the
decision.  Expiry is compared on every use.  Revocation goes by ``sid`` on the snapshot, so another spelling
of a token gains nothing.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import jwt
from flask import Flask, Request, Response, request
from flask_jwt_extended import JWTManager, decode_token
from flask_jwt_extended.exceptions import JWTExtendedException

from rbac_api import clock
from rbac_api.database.types import UUID
from rbac_api.decision.model import ROOT
from rbac_api.decision.naming import DOMAIN
from rbac_api.errors import ServiceError
from rbac_api.guard.errors import TokenExpired, TokenInvalid, TokenMissing, TokenRevoked
from rbac_api.guard.tokens.credentials import credentials, read_credentials
from rbac_api.guard.tokens.keys import Keyring
from rbac_api.guard.tokens.token import Authority, Issue, Token
from rbac_api.settings import ALGORITHMS, Settings
from rbac_api.web.responses.problems import problem_answer
from rbac_verifier import jws

MAX_REMEMBERED = 20_000
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
# Claims of some access tokens: ``amr`` (RFC 8176) where a second factor was proved, ``roles_omitted`` where
# not all roles fit, the others where the session acts at a domain, or more or less may count in one below.
_FLAGS = ("domains_held", "domains_differ")
_OPTIONAL = frozenset(("amr", "roles_omitted", "domain", *_FLAGS))
_SECOND_FACTOR = ["pwd", "otp"]


class Bearer:
    """Issues tokens and verifies those that requests bring."""

    def __init__(self, settings: Settings, keyring: Keyring, is_revoked: Callable[[str, str], bool]) -> None:
        self._settings = settings
        self._issuer, self._audience = settings.issuer_url, settings.audience
        self._keyring = keyring
        self._is_revoked = is_revoked
        self._remembered: dict[bytes, Token] = {}
        self._remembering = threading.Lock()
        self._app = Flask(__name__, static_folder=None)
        self.register(self._app)

    def register(self, app: Flask) -> None:
        """Make the library's decorators give our answers on routes of our own application; a host's stay the
        host's.
        """
        _configure(app, self._settings)
        _set_loaders(JWTManager(app), self._keyring, self._is_revoked)

    def issue_access(self, issue: Issue, authority: Authority) -> str:
        """Return an access token: header ``at+jwt``, role *names* and the authorization version, nothing
        personal.
        """
        claims: dict[str, Any] = {"roles": list(authority.roles), "av": authority.version}
        claims |= {"roles_omitted": authority.omitted} if authority.omitted else {}
        claims |= {"domain": authority.domain} if authority.domain != ROOT else {}
        claims |= {"domains_held": True} if authority.held_below else {}
        claims |= {"domains_differ": True} if authority.loses_below else {}
        claims |= {"amr": list(issue.amr)} if "otp" in issue.amr else {}
        return self._signed("access", issue, self._audience, claims)

    def issue_refresh(self, issue: Issue, generation: int) -> str:
        """Return a refresh token: header ``rt+jwt``, for this service alone (``aud`` is the issuer).  The
        same ``issue`` gives the same claims.
        """
        return self._signed("refresh", issue, self._issuer, {"gen": generation})

    def read_token(self, request: Request) -> tuple[Token, bool]:
        """Return the access token of a request, verified and not expired, and whether a cookie brought it."""
        text, by_cookie = read_credentials(request)
        digest = hashlib.sha256(text.encode("latin-1", "replace")).digest()
        token = self._remembered.get(digest)
        if token is None:
            token = self.verify_token(text, "access")
            self._remember(digest, token)
        elif self._keyring.find(token.kid, token.algorithm) is None:
            raise TokenInvalid()  # its key was withdrawn since then
        if clock.epoch_seconds() >= token.expires:
            raise TokenExpired()
        return token, by_cookie

    def verify_token(self, text: str, kind: str, *, late: bool = False) -> Token:
        """Verify a token of a kind (``access`` or ``refresh``).

        Every defect is ``TokenInvalid``; an expired token is ``TokenExpired``, unless it may be ``late``.
        """
        header, payload = unpack(text)
        audience = self._audience if kind == "access" else self._issuer
        if (payload["type"], payload["aud"]) != (kind, audience):
            raise TokenInvalid()
        try:
            with self._app.app_context():
                claims = decode_token(text, allow_expired=late)
        except jwt.ExpiredSignatureError as fault:
            raise TokenExpired() from fault
        except (jwt.PyJWTError, JWTExtendedException) as fault:
            raise TokenInvalid() from fault
        if not late and clock.epoch_seconds() >= claims["exp"]:
            raise TokenExpired()
        return Token(
            subject=claims["sub"],
            session_id=claims["sid"],
            jti=claims["jti"],
            client_id=claims["client_id"],
            expires=claims["exp"],
            roles=tuple(claims.get("roles", ())),
            kid=header["kid"],
            algorithm=header["alg"],
        )

    def claims(self, text: str) -> dict[str, Any]:
        """Return what a token says, unverified; ``TokenInvalid`` for what is no token of this service."""
        return unpack(text)[1]

    def _remember(self, digest: bytes, token: Token) -> None:
        """Keep a verified token, and forget up to two of the oldest that have expired, or one too many."""
        with self._remembering:
            for _ in range(2):  # so that there are no more in memory than are in use
                oldest = next(iter(self._remembered), None)
                if oldest is not None and clock.epoch_seconds() >= self._remembered[oldest].expires:
                    del self._remembered[oldest]
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.pop(next(iter(self._remembered)))
            self._remembered[digest] = token

    def _signed(self, kind: str, issue: Issue, audience: str, own: dict[str, Any]) -> str:
        claims = {
            "iss": self._issuer,
            "aud": audience,
            "client_id": issue.client_id,
            "iat": issue.issued,
            "nbf": issue.issued,
            "exp": issue.expires,
            "jti": issue.jti,
            "sid": issue.session_id,
            "auth_time": issue.auth_time,
            **own,
            "sub": issue.subject,
            "type": kind,
        }
        key = issue.key or self._keyring.active()
        header = {"alg": key.algorithm, "typ": TYP[kind], "kid": key.kid}
        if not fits(header, claims):
            raise ValueError("the claims of a token are fixed: guard.tokens.jwt has them")
        return jwt.encode(claims, key.private, algorithm=key.algorithm, headers=header)


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


def _optional_fit(payload: dict[str, Any]) -> bool:
    """Return whether the optional claims are allowed: only an access token may have them, and ``root``, for
    which none is needed, is never named."""
    omitted, domain = payload.get("roles_omitted", 1), payload.get("domain")
    return (
        (payload["type"] == "access" or _OPTIONAL.isdisjoint(payload))
        and payload.get("amr", _SECOND_FACTOR) == _SECOND_FACTOR
        and type(omitted) is int
        and 0 < omitted < 1 << 40
        and ("domain" not in payload or _is_below_root(domain))
        and all(payload.get(name, True) is True for name in _FLAGS)
    )


def _is_below_root(domain: object) -> bool:
    return isinstance(domain, str) and domain != ROOT and DOMAIN.problem(domain) is None


def _payload_fits(payload: dict[str, Any]) -> bool:
    kind = payload.get("type")
    if not isinstance(kind, str) or frozenset(payload) - _OPTIONAL != KINDS.get(kind):
        return False
    texts = all(isinstance(payload[name], str) and payload[name] for name in (*_IDS, *_TEXTS))
    roles = payload.get("roles", [])
    counts = [payload[name] for name in (*_NUMBERS, "av", "gen") if name in payload]
    return (
        texts
        and _optional_fit(payload)
        and all(_ID.fullmatch(payload[name]) for name in _IDS)
        and all(type(count) is int and 0 <= count < 1 << 40 for count in counts)
        and isinstance(roles, list)
        and all(isinstance(role, str) for role in roles)
    )


def _configure(app: Flask, settings: Settings) -> None:
    app.config.update(
        JWT_ALGORITHM=settings.signing_algorithm,
        # Each key has one; a replaced key with another may still verify
        JWT_DECODE_ALGORITHMS=list(ALGORITHMS),
        JWT_TOKEN_LOCATION=["headers"],
        JWT_COOKIE_CSRF_PROTECT=False,
        JWT_DECODE_LEEWAY=settings.clock_leeway_seconds,
        JWT_DECODE_ISSUER=settings.issuer_url,
        JWT_DECODE_AUDIENCE=[settings.audience, settings.issuer_url],
    )


def _set_loaders(manager: JWTManager, keyring: Keyring, is_revoked: Callable[[str, str], bool]) -> None:
    def decode_key(header: dict[str, Any], payload: dict[str, Any]) -> Any:
        key = keyring.find(header.get("kid"), header.get("alg")) if fits(header, payload) else None
        if key is None:
            raise jwt.InvalidTokenError("no such key")  # anything else would become a 500
        return key.public

    def answer(error: type[ServiceError]) -> Callable[..., Response]:
        return lambda *_details: problem_answer(error())

    manager.encode_key_loader(_refuse_to_sign)
    manager.decode_key_loader(decode_key)
    manager.token_in_blocklist_loader(
        lambda _header, payload: is_revoked(str(payload.get("sid")), str(payload.get("jti")))
    )
    manager.token_verification_loader(_is_access_token)
    manager.unauthorized_loader(answer(TokenMissing))
    manager.expired_token_loader(answer(TokenExpired))
    manager.revoked_token_loader(answer(TokenRevoked))
    for loader in (
        manager.invalid_token_loader,
        manager.needs_fresh_token_loader,
        manager.token_verification_failed_loader,
        manager.user_lookup_error_loader,
    ):
        loader(answer(TokenInvalid))


def _refuse_to_sign(_identity: Any) -> NoReturn:
    raise ValueError("the claims of a token are fixed: only Bearer issues one")


def _is_access_token(_header: dict[str, Any], payload: dict[str, Any]) -> bool:
    """Check a token for ``@jwt_required``: the library passes no text on, so a second spelling is looked for
    in the header.  A route that reads another place refuses: its cookies would need a defence against CSRF.
    """
    unpack(credentials(request.headers.get("Authorization", "")))
    return bool(payload["type"] == "access")
