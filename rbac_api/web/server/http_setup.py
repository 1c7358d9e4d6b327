"""Sets up the application for HTTP: path parameters, trusted proxies, cross-origin rules."""

from __future__ import annotations

import re

from flask import Flask, Response
from flask_cors import CORS
from werkzeug.routing import BaseConverter, IntegerConverter, Map

from rbac_api.settings import Settings
from rbac_api.value_checks import browser_origins
from rbac_api.web.responses.json_response import CompleteResponse
from rbac_api.web.server.middleware import MAX_BODY_BYTES, NoSessions, SizedRequest, register_spellings
from rbac_api.web.server.proxy_headers import register_forwarded

EXPOSED_HEADERS = (
    "ETag", "Link", "Location", "RateLimit", "RateLimit-Policy", "Retry-After", "WWW-Authenticate",
    "X-CSRF-TOKEN", "X-Request-ID", "Authz-Stale", "Content-Disposition",
)  # fmt: skip
_OWN_HEADERS = (
    "Authorization", "Content-Type", "If-Match", "If-None-Match", "Idempotency-Key", "X-CSRF-TOKEN",
    "X-Request-ID",
)  # fmt: skip
# Headers that tracing libraries in a browser add: W3C, Zipkin, Sentry, Datadog, cloud providers. Nothing here
# reads them.
_TRACE_HEADERS = (
    "traceparent", "tracestate", "baggage", "b3", "X-B3-TraceId", "X-B3-SpanId", "X-B3-ParentSpanId",
    "X-B3-Sampled", "sentry-trace", "x-datadog-trace-id", "x-datadog-parent-id", "x-datadog-origin",
    "x-datadog-sampling-priority", "X-Amzn-Trace-Id", "X-Cloud-Trace-Context", "X-Requested-With",
)  # fmt: skip


class Segment(BaseConverter):
    """A part of a path that a database can store. No name contains NUL, so such a path is unknown (404)."""

    regex = "[^/\x00]+"


class OtherThan(Segment):
    """A part that is none of these words, which are paths of their own: ``/keys/<other_than(rotate):kid>``.

    Otherwise both routes would match one path, and ``Allow`` would list the methods of both.
    """

    def __init__(self, url_map: Map, *words: str) -> None:
        super().__init__(url_map)
        self.regex = rf"(?!(?:{'|'.join(map(re.escape, words))})\Z){Segment.regex}"


class Digits(IntegerConverter):
    """A number in ASCII digits: digits of other scripts would be a second spelling of the same path."""

    regex = "[0-9]+"


def register_http_setup(app: Flask, settings: Settings) -> None:
    """Set up an application as described above."""
    app.url_map.strict_slashes = True  # a proxy's rule for `/metrics` does not see `/metrics/`
    app.url_map.merge_slashes = False
    app.url_map.converters["default"] = Segment
    app.url_map.converters["int"] = Digits
    app.url_map.converters["other_than"] = OtherThan
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.request_class = SizedRequest
    app.response_class = CompleteResponse
    app.session_interface = NoSessions()
    app.json.sort_keys = False  # type: ignore[attr-defined]
    register_spellings(app)
    register_forwarded(app, settings)
    if settings.cors_origins:
        _register_cors(app, settings)


def _register_cors(app: Flask, settings: Settings) -> None:
    """Answer the configured origins, each as an exact pattern.

    Flask-CORS would read an origin with ``[`` in it (IPv6) as an incomplete regular expression.
    """
    CORS(
        app,
        origins=[
            re.compile(re.escape(origin) + r"\Z", re.IGNORECASE)
            for origin in sorted(browser_origins(settings.cors_origins))
        ],
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[*_OWN_HEADERS, *_TRACE_HEADERS],
        expose_headers=list(EXPOSED_HEADERS),
        max_age=7200,
        # cookies, where the browser sends them: to the same site (SameSite=Strict)
        supports_credentials=True,
        vary_header=False,
        always_send=False,
    )
    app.after_request(_vary_by_origin)


def _vary_by_origin(answer: Response) -> Response:
    """Set ``Vary: Origin``, also where no origin was allowed.

    A cache must not give one origin's answer to another (Fetch standard, section 3.3.5).
    """
    answer.vary.add("Origin")
    return answer
