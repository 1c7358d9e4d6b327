"""WSGI middleware that gives each request an id, and each answer its headers, its count and its log line.

The id is the client's ``X-Request-ID`` if it is well-formed, else a new random one. It is echoed in the
answer, logged, and kept in the audit trail.

It is one piece of WSGI around the application instead of ten Flask hooks: each hook would cost every request
several microseconds for looking up the current request.

Flask then asks for three things. There is no session. A body may have 64 KiB, and more at the few paths
declared here; the server checks that before it receives a request (``cli.request_framing``), the application
before it reads one. Every spelling of a path but one is refused (RFC 3986 section 6.2.2): a proxy's rule for
a path may not match the others.
"""

from __future__ import annotations

import random
import re
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from time import perf_counter
from types import TracebackType
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface

from rbac_api.formats.http_errors import PathNotCanonical
from rbac_api.observability.background import surviving
from rbac_api.observability.logs import REQUEST_ID, log, log_answer
from rbac_api.observability.metrics import REQUESTS, SECONDS
from rbac_api.settings import Settings

STALE = "rbac.authz_stale"  # in the environment: the roles in the token are no longer the user's roles
CSRF = "rbac.csrf"  # in the environment: the token that a page in a browser sends with each write
CSRF_HEADER = "X-CSRF-TOKEN"
HEADER = "X-Request-ID"
# Below this path a client may send any printable id, and the answer repeats it unchanged (AuthZEN section
# 10.1.4).
VERBATIM = "/access/v1/"
MAX_BODY_BYTES = 64 * 1024
MAX_BODY_BYTES_BELOW: dict[str, int] = {
    "/access/v1/evaluations": 1024 * 1024,  # many questions at once
    "/v1/policy/plan": 16 * 1024 * 1024,  # whole policies
    "/v1/policy/apply": 16 * 1024 * 1024,
}
"""Path prefixes, and how large a body may be below them."""
_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
# Empty and dot segments, parameters, encoded slashes, and encoded characters that need no encoding.
_UNUSUAL = re.compile(
    r"//|/\.{1,2}(?:/|\Z)|[;#\\]|%(?![0-9a-f]{2})|%(?:2[d-f]|3[0-9]|[46][1-9a-f]|[57][0-9a]|5[cf]|7e)",
    re.IGNORECASE,
)
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,128}")
_PRINTABLE = re.compile(r"[!-~](?:[ -~]{0,254}[!-~])?")  # what a header can carry unchanged
_ADDED_BY_PROXIES = frozenset(
    {"HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_FORWARDED"}
)
_REMEDY = (
    "set RBAC_PROXY_HOPS to the number of proxies in front, or let them remove these headers: until then"
    " all clients count as one address, in rate limits and in the trail"
)
_NOSNIFF = ("X-Content-Type-Options", "nosniff")
_STALE = ("Authz-Stale", "true")
_LOGGED = ("debug", "info")
# The label for unknown methods: a client can invent any number of them, and each would stay in memory.
_OTHER = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
FOLD_SECONDS = 1.0
Answered = tuple[str, str, int]  # method, route, status
Headers = list[tuple[str, str]]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None


class RequestTally:
    """Collects the answers since the last ``fold``.

    They are added to prometheus-client's cross-process values once a second, and when this process answers
    ``/metrics``. So the figures of all workers together are exact to the second, and no request pays for
    adding them up.
    """

    def __init__(self) -> None:
        self._noted: deque[tuple[Answered, float]] = deque()
        self._folding = threading.Lock()
        self._steady: threading.Thread | None = None
        self._closing = threading.Event()

    def note(self, answered: Answered, seconds: float) -> None:
        """Add one answer. ``append`` is atomic between threads; counting would not be."""
        self._noted.append((answered, seconds))
        # The thread starts with the first answer: this object is made before the worker process is forked.
        if self._steady is None:
            self._begin()

    def fold(self) -> None:
        """Add the waiting answers to the counters.

        When it returns, every answer recorded before the call is in them.
        """
        with self._folding:
            noted = [self._noted.popleft() for _ in range(len(self._noted))]
            for (method, route, status), count in Counter(answered for answered, _ in noted).items():
                REQUESTS.labels(method, route, status).inc(count)
            series = {(method, route): SECONDS.labels(method, route) for (method, route, _), _ in noted}
            for (method, route, _), seconds in noted:
                series[method, route].observe(seconds)

    def close(self) -> None:
        """Add the remaining answers, and stop the thread."""
        self._closing.set()
        if self._steady is not None:
            self._steady.join()
        self.fold()

    def _begin(self) -> None:
        with self._folding:
            if self._steady is None:
                self._steady = threading.Thread(target=self._fold_steadily, name="rbac-tally", daemon=True)
                self._steady.start()

    def _fold_steadily(self) -> None:
        while not self._closing.wait(FOLD_SECONDS):
            if self._noted:
                with surviving("tally"):
                    self.fold()


class Middleware:
    """The application with this middleware around it."""

    def __init__(self, inner: WSGIApplication, tally: RequestTally, settings: Settings) -> None:
        self._inner = inner
        self._tally = tally
        self._logs = settings.log_level in _LOGGED
        self._hops = settings.proxy_hops
        self._proxy_seen = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        began = perf_counter()
        environ[REQUEST_ID] = name_request(environ)
        if not (self._proxy_seen or environ.keys().isdisjoint(_ADDED_BY_PROXIES)):
            self._check_proxies(environ)

        def start(status: str, headers: Headers, exc_info: ExcInfo = None, /) -> Callable[[bytes], object]:
            self._add_headers(environ, headers)
            self._record(environ, int(status[:3]), perf_counter() - began)
            return start_response(status, headers, exc_info)

        return self._inner(environ, start)

    def _check_proxies(self, environ: WSGIEnvironment) -> None:
        """Warn once per process about a proxy that RBAC_PROXY_HOPS does not count: all clients then share its
        address."""
        self._proxy_seen = True
        passed = environ.get("HTTP_X_FORWARDED_FOR", "").count(",") + 1
        if self._hops == 0 or passed < self._hops:
            address = environ.get("REMOTE_ADDR")
            log.warning("proxy.unheard", hops=self._hops, address=address, remedy=_REMEDY)

    def _add_headers(self, environ: WSGIEnvironment, headers: Headers) -> None:
        """Add the headers of every answer. It repeats the client's id; the trail and the log have the
        well-formed one."""
        name = environ.get("HTTP_X_REQUEST_ID")
        if not (name and environ["PATH_INFO"].startswith(VERBATIM) and _PRINTABLE.fullmatch(name)):
            name = environ[REQUEST_ID]
        headers.append((HEADER, name))
        headers.append(_NOSNIFF)
        if STALE in environ:
            headers.append(_STALE)
        if CSRF in environ:
            headers.append((CSRF_HEADER, environ[CSRF]))

    def _record(self, environ: WSGIEnvironment, status: int, seconds: float) -> None:
        asked: Request = environ["werkzeug.request"]
        rule, method = asked.url_rule, asked.method
        counted = method if rule or method in _METHODS else _OTHER
        self._tally.note((counted, rule.rule if rule else "-", status), seconds)
        if self._logs:
            log_answer(asked, status, seconds)


def name_request(environ: WSGIEnvironment) -> str:
    """Return the id that the client sent, or a new one.

    Its 128 bits need not be secret, so they need no system call.
    """
    offered: str | None = environ.get("HTTP_X_REQUEST_ID")
    if offered and _WELL_FORMED.fullmatch(offered):
        return offered
    return random.getrandbits(128).to_bytes(16, "big").hex()


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


def max_body_bytes(path: str) -> int:
    """Return how many bytes the body of a request to this path may have.

    Another spelling of a path has no privilege.
    """
    return next(
        (size for begin, size in MAX_BODY_BYTES_BELOW.items() if path.startswith(begin)), MAX_BODY_BYTES
    )


def register_spellings(app: Flask) -> None:
    """Refuse other spellings of a path, whether a route matches or not.

    Around the application: a function before each request costs several microseconds.
    """
    usual = app.wsgi_app

    def refuse_other_spellings(environ: WSGIEnvironment, start: StartResponse, /) -> Iterable[bytes]:
        if not _UNUSUAL.search(_path_as_sent(environ)):
            return usual(environ, start)
        with app.request_context(environ):
            refusal = app.make_response(app.handle_user_exception(PathNotCanonical()))
            return app.process_response(refusal)(environ, start)

    app.wsgi_app = refuse_other_spellings  # type: ignore[method-assign, assignment]


def _path_as_sent(environ: WSGIEnvironment) -> str:
    """Return the request's path before decoding; where a server does not give it, encoded again."""
    sent: str = environ.get("RAW_URI") or environ.get("REQUEST_URI") or ""
    if sent:
        return (
            _AUTHORITY.sub("", sent.partition("?")[0], count=1) if sent[0] != "/" else sent.partition("?")[0]
        )
    return quote((environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).encode("latin-1"))


def register_middleware(app: Flask, settings: Settings) -> RequestTally:
    """Put the middleware around an application, and return the tally of its answers."""
    tally = RequestTally()
    app.wsgi_app = Middleware(app.wsgi_app, tally, settings)  # type: ignore[method-assign]
    return tally
