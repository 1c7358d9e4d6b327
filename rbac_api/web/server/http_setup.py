"""Sets up HTTP for every request: body limit, trusted proxies, cross-origin rules, spelling of paths.

A body may have 64 KiB, and more at the few paths declared here. The server checks the limit before it
receives a request (``cli.request_framing``), the application before it reads one. Every spelling of a path
but one is refused (RFC 3986 section 6.2.2): a proxy's rule for a path may not match the others.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from flask import Flask, Request, Response, request
from flask.sessions import NullSession, SessionInterface
from flask_cors import CORS
from werkzeug.routing import BaseConverter, IntegerConverter, Map

from rbac_api.formats.http_errors import PathNotCanonical
from rbac_api.settings import Settings
from rbac_api.value_checks import browser_origins
from rbac_api.web.server.proxy_headers import register_forwarded

MAX_BODY_BYTES = 64 * 1024
MAX_BODY_BYTES_BELOW: dict[str, int] = {
    "/access/v1/evaluations": 1024 * 1024,  # many questions at once
    "/v1/policy/plan": 16 * 1024 * 1024,  # whole policies
    "/v1/policy/apply": 16 * 1024 * 1024,
}
"""Path prefixes, and how large a body may be below them."""
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

_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
# Empty and dot segments, parameters, encoded slashes, and encoded characters that need no encoding.
_UNUSUAL = re.compile(
    r"//|/\.{1,2}(?:/|\Z)|[;#\\]|%(?![0-9a-f]{2})|%(?:2[d-f]|3[0-9]|[46][1-9a-f]|[57][0-9a]|5[cf]|7e)",
    re.IGNORECASE,
)


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


class SizedRequest(Request):
    """A request whose body limit depends on its path."""

    @property  # type: ignore[misc]
    def max_content_length(self) -> int:  # type: ignore[override]  # no code sets it
        return max_body_bytes(self.environ["PATH_INFO"])


class NoSessions(SessionInterface):
    """Gives every request the same empty, read-only session, so that Flask reads and sets no cookie."""

    _none = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:
        return self._none


def register_http_setup(app: Flask, settings: Settings) -> None:
    """Set up an application as described above."""
    app.url_map.strict_slashes = True  # a proxy's rule for `/metrics` does not see `/metrics/`
    app.url_map.merge_slashes = False
    app.url_map.converters["default"] = Segment
    app.url_map.converters["int"] = Digits
    app.url_map.converters["other_than"] = OtherThan
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.request_class = SizedRequest
    app.session_interface = NoSessions()
    app.json.sort_keys = False  # type: ignore[attr-defined]
    register_spellings(app)
    register_forwarded(app, settings)
    if settings.cors_origins:
        _register_cors(app, settings)


def max_body_bytes(path: str) -> int:
    """Return how many bytes the body of a request to this path may have.

    Another spelling of a path has no privilege.
    """
    return next(
        (size for begin, size in MAX_BODY_BYTES_BELOW.items() if path.startswith(begin)), MAX_BODY_BYTES
    )


def register_spellings(app: Flask) -> None:
    """Refuse other spellings of a path, whether a route matches or not."""

    @app.before_request
    def refuse_other_spellings() -> None:
        if _UNUSUAL.search(_path_as_sent(request.environ)):
            raise PathNotCanonical()


def _path_as_sent(environ: dict[str, Any]) -> str:
    """Return the request's path before decoding; where a server does not give it, encoded again."""
    sent: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if sent:
        return (
            _AUTHORITY.sub("", sent.partition("?")[0], count=1) if sent[0] != "/" else sent.partition("?")[0]
        )
    return quote((environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1"))


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
