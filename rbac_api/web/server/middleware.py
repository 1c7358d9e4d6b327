"""What every request and every answer gets, whatever made the answer: a name, two headers, a count, a line in the log.

One piece of WSGI around the application instead of ten Flask hooks: a hook costs several microseconds in looking up what the request
is, on each of them, and this is on the way of every request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any, Protocol

from flask import Flask, Request

from rbac_api.observability.logs import log_answer
from rbac_api.observability.metrics import RequestTally
from rbac_api.observability.request_id import HEADER, REQUEST_ID, echoed_name, name_request
from rbac_api.settings import Settings

STALE = "rbac.authz_stale"  # in the environment: the roles in the presented token are not the present ones
CSRF = "rbac.csrf"  # in the environment: what a browser's page has to send with whatever it writes
CSRF_HEADER = "X-CSRF-TOKEN"
_NOSNIFF = ("X-Content-Type-Options", "nosniff")
_STALE = ("Authz-Stale", "true")
_LOGGED = ("debug", "info")
# What a method is counted as that no route knows: a stranger can invent them without end, and each would be kept for ever.
_OTHER = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
Headers = list[tuple[str, str]]


class StartResponse(Protocol):
    """PEP 3333."""

    def __call__(
        self, status: str, headers: Headers, exc_info: Any = None, /
    ) -> Callable[[bytes], object]: ...


Wsgi = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Envelope:
    """The application, in its envelope."""

    def __init__(self, inner: Wsgi, tally: RequestTally, *, logs: bool) -> None:
        self._inner = inner
        self._tally = tally
        self._logs = logs

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        began = perf_counter()
        environ[REQUEST_ID] = name_request(environ)

        def start(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
            self._seal(environ, headers)
            self._note(environ, int(status[:3]), perf_counter() - began)
            return start_response(status, headers, exc_info)

        return self._inner(environ, start)

    def _seal(self, environ: dict[str, Any], headers: Headers) -> None:
        headers.append((HEADER, echoed_name(environ)))
        headers.append(_NOSNIFF)
        if STALE in environ:
            headers.append(_STALE)
        if CSRF in environ:
            headers.append((CSRF_HEADER, environ[CSRF]))

    def _note(self, environ: dict[str, Any], status: int, seconds: float) -> None:
        request: Request = environ["werkzeug.request"]
        rule, method = request.url_rule, request.method
        counted = method if rule or method in _METHODS else _OTHER
        self._tally.note((counted, rule.rule if rule else "-", status), seconds)
        if self._logs:
            log_answer(request, status, seconds)


def register_envelope(app: Flask, settings: Settings) -> RequestTally:
    """Put an application into its envelope, and give the tally of its answers."""
    tally = RequestTally()
    app.wsgi_app = Envelope(app.wsgi_app, tally, logs=settings.log_level in _LOGGED)  # type: ignore[method-assign]
    return tally
