"""Finds the session that a request wants to sign out of: any of its tokens names it, by header or cookie,
expired or not.

Signing out removes power and gives none, so a token that no longer opens anything is still good for it.  By
cookie it needs ``X-CSRF-TOKEN``, as every other write does.
"""

from __future__ import annotations

from contextlib import suppress

from flask import Request

from rbac_api.guard.enforcement.guard import Guard
from rbac_api.guard.errors import CsrfFailed, TokenInvalid, TokenMissing
from rbac_api.guard.tokens.credentials import COOKIES, cookie, read_credentials
from rbac_api.guard.tokens.jwt import Bearer
from rbac_api.guard.tokens.token import Token
from rbac_api.web.server.middleware import CSRF_HEADER


def token_to_leave(guard: Guard, asked: Request) -> Token | None:
    """Return the verified token of the session to end.  None: a browser page signs out, and its cookies are
    gone or no longer valid.

    ``TokenMissing`` and ``TokenInvalid`` without a usable token; ``CsrfFailed`` for cookies without the CSRF
    token of their session.
    """
    guard.snapshot.freshen()  # the keys, before one is looked up
    if asked.environ.get("HTTP_AUTHORIZATION"):
        bearer, _ = read_credentials(asked)
        return guard.bearer.verify_token(bearer, guard.bearer.claims(bearer)["type"], late=True)
    sent = {kind: text for kind in COOKIES if (text := cookie(asked, kind))}
    found = [token for kind, text in sent.items() if (token := _readable(guard.bearer, text, kind))]
    for token in found:
        with suppress(CsrfFailed):
            guard.cross_site.require_token(asked, token.session_id)
            return token
    if found:
        raise CsrfFailed()
    if CSRF_HEADER not in asked.headers:  # a page of another site cannot send it (the preflight is refused)
        raise TokenInvalid() if sent else TokenMissing()
    return None


def _readable(bearer: Bearer, text: str, kind: str) -> Token | None:
    with suppress(TokenInvalid):
        return bearer.verify_token(text, kind, late=True)
    return None
