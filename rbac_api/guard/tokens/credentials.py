"""Finds the credentials of a request: the one place that looks for them, in the header or a cookie.

Where there is an Authorization header, it alone decides: a leftover cookie cannot spoil a good header, and a
good cookie cannot correct a bad one.  Without a header a browser's cookie counts.  Any page can make a
browser send a cookie, so a write by cookie needs ``X-CSRF-TOKEN`` as well: a keyed hash of the session's id,
which only a page that may read our answers can know.

Cookies are parsed here and not by the framework, which accepts too much: it trims what a browser treats as
part of a name, and of two cookies with one name it takes one.  An attacker who can set a cookie on a
neighbouring host could so insert theirs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Any

from flask import Request, Response

from rbac_api.formats.http_errors import CredentialsRepeated
from rbac_api.guard.errors import CsrfFailed, TokenInvalid, TokenMissing
from rbac_api.sealing import derived_key
from rbac_api.web.server.middleware import CSRF_HEADER

# ``__Host-``: a browser keeps such a cookie only from this very host, Secure and for the path / (RFC 6265bis
# section 4.1.3.2).
COOKIES = {"access": "__Host-rbac-access", "refresh": "__Host-rbac-refresh"}

# A comma before another scheme or the end: a scheme may have commas of its own.
_ANOTHER = re.compile(r",[ \t]*((bearer|basic|digest|negotiate|dpop)([ \t,]|$)|$)", re.IGNORECASE)


def read_credentials(request: Request, kind: str = "access") -> tuple[str, bool]:
    """Return the token (``access`` or ``refresh``) of a request, and whether a cookie brought it;
    ``TokenMissing`` if there is none."""
    header: str | None = request.environ.get("HTTP_AUTHORIZATION")
    if header:
        return credentials(header), False
    text = cookie(request, kind)
    if text is None:
        raise TokenMissing()
    return text, True


def credentials(header: str) -> str:
    """Return the bearer token of an Authorization header; ``TokenMissing`` for another scheme, or with
    nothing after the scheme.

    A server joins repeated headers with a comma, which no token contains: ``CredentialsRepeated`` (RFC 6750
    section 3.1).
    """
    scheme, _, rest = header.strip(" \t").partition(" ")
    if repeated(header):
        raise CredentialsRepeated()
    if scheme.lower() != "bearer" or not rest.strip(" \t"):
        raise TokenMissing()
    return rest.strip(" ")


def repeated(header: str) -> bool:
    """Return whether an Authorization header holds more than one set of credentials."""
    return "," in header and _ANOTHER.search(header) is not None


def cookie(request: Request, kind: str) -> str | None:
    """Return the cookie with this kind of token; None without one.  Two with one name can only be planted:
    ``TokenInvalid``."""
    pairs = (part.strip(" ").partition("=") for part in request.environ.get("HTTP_COOKIE", "").split(";"))
    found = [value for name, _, value in pairs if name == COOKIES[kind]]
    if len(found) > 1:
        raise TokenInvalid()
    return found[0] if found else None


def set_cookies(answer: Response, tokens: Mapping[str, Any]) -> Response:
    """Put a pair of tokens into cookies that no script can read and no other site can use, and that expire
    with them."""
    for kind, lifetime in (("access", "expires_in"), ("refresh", "refresh_expires_in")):
        _set(answer, kind, tokens[f"{kind}_token"], tokens[lifetime])
    return answer


def without_own_cookies(request: Request, answer: Response) -> Response:
    """Remove the cookies of a browser whose own session was ended at its request; beside a header no cookie
    is meant.

    A refusal never does: the answer about a dead cookie may arrive after a new sign-in has set another.
    """
    if not request.environ.get("HTTP_AUTHORIZATION"):
        for kind in COOKIES:
            _set(answer, kind, "", 0)
    return answer


def _set(answer: Response, kind: str, value: str, seconds: int) -> None:
    answer.set_cookie(
        COOKIES[kind], value, max_age=seconds, path="/", secure=True, httponly=True, samesite="Strict"
    )


class CrossSite:
    """Distinguishes our own pages from other sites that make the browser send our cookies (CSRF)."""

    def __init__(self, secret: str) -> None:
        self._key = derived_key(secret, "csrf")

    def token(self, session_id: str) -> str:
        """Return what the session's own page sends as ``X-CSRF-TOKEN``: the same as long as the session
        lives."""
        digest = hmac.digest(self._key, session_id.encode(), hashlib.sha256)
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def require_token(self, request: Request, session_id: str) -> None:
        """Require the token of this very session in the request: ``CsrfFailed`` otherwise."""
        sent = request.headers.get(CSRF_HEADER, "").encode("latin-1", "replace")
        if not hmac.compare_digest(sent, self.token(session_id).encode()):
            raise CsrfFailed()
