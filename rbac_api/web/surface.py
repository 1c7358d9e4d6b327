"""What holds for each request alike: body limit, trusted proxies, cross-origin rules, what an address may hold."""

from __future__ import annotations

import re

from flask import Flask, Request, Response
from flask.sessions import NullSession, SessionInterface
from flask_cors import CORS
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import BaseConverter, IntegerConverter

from rbac_api.settings import Settings

LARGEST_BODY = 64 * 1024


class Segment(BaseConverter):
    """A part of a path that a database can hold: nothing is ever called NUL, so such an address is unknown (404)."""

    regex = "[^/\x00]+"


class NoSessions(SessionInterface):
    """Flask would look for a session in the cookies of each request; here nobody has one, so nobody can be given one."""

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return _NO_SESSION


_NO_SESSION = NullSession()


class Digits(IntegerConverter):
    """A number in ASCII digits: those of other scripts would be a second spelling of the same address."""

    regex = "[0-9]+"


def register_surface(app: Flask, settings: Settings) -> None:
    """Everything that holds for each request alike."""
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.url_map.converters["default"] = Segment
    app.url_map.converters["int"] = Digits
    app.session_interface = NoSessions()
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.json.sort_keys = False  # type: ignore[attr-defined]
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_prefix=0)  # type: ignore[method-assign]
    if settings.cors_origins:
        _register_cors(app, settings)


def _register_cors(app: Flask, settings: Settings) -> None:
    """Answer the configured origins, each exactly: Flask-CORS would take one with ``[`` in it (IPv6) for a pattern without an end."""
    CORS(
        app,
        origins=[re.compile(re.escape(origin) + r"\Z", re.IGNORECASE) for origin in settings.cors_origins],
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "If-Match",
            "If-None-Match",
            "Idempotency-Key",
            "X-CSRF-TOKEN",
            "X-Request-ID",
        ],
        expose_headers=[
            "ETag",
            "Link",
            "Location",
            "RateLimit",
            "RateLimit-Policy",
            "Retry-After",
            "WWW-Authenticate",
            "X-CSRF-TOKEN",
            "X-Request-ID",
            "Authz-Stale",
        ],
        supports_credentials=True,  # cookies, where the browser sends them: to the same site (SameSite=Strict)
        vary_header=False,
        always_send=False,
    )
    app.after_request(_vary_by_origin)


def _vary_by_origin(answer: Response) -> Response:
    """Also where no origin was allowed: a cache must not give one origin's answer to another (Fetch standard, section 3.3.5)."""
    answer.vary.add("Origin")
    return answer
