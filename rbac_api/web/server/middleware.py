"""WSGI middleware that gives each request an id, and each answer its headers, its count and its log line.

It is one piece of WSGI around the application instead of ten Flask hooks: each hook would cost every request
several microseconds for looking up the current request.
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

STALE = "rbac.authz_stale"  # in the environment: the roles in the token are no longer the user's roles
CSRF = "rbac.csrf"  # in the environment: the token that a page in a browser sends with each write
CSRF_HEADER = "X-CSRF-TOKEN"
_NOSNIFF = ("X-Content-Type-Options", "nosniff")
_STALE = ("Authz-Stale", "true")
_LOGGED = ("debug", "info")
# The label for unknown methods: a client can invent any number of them, and each would stay in memory.
_OTHER = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
Headers = list[tuple[str, str]]


class StartResponse(Protocol):
    """PEP 3333."""

    def __call__(
        self, status: str, headers: Headers, exc_info: Any = None, /
    ) -> Callable[[bytes], object]: ...


Wsgi = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class Middleware:
    """The application with this middleware around it."""

    def __init__(self, inner: Wsgi, tally: RequestTally, *, logs: bool) -> None:
        self._inner = inner
        self._tally = tally
        self._logs = logs

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        began = perf_counter()
        environ[REQUEST_ID] = name_request(environ)

        def start(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
            self._add_headers(environ, headers)
            self._record(environ, int(status[:3]), perf_counter() - began)
            return start_response(status, headers, exc_info)

        return self._inner(environ, start)

    def _add_headers(self, environ: dict[str, Any], headers: Headers) -> None:
        headers.append((HEADER, echoed_name(environ)))
        headers.append(_NOSNIFF)
        if STALE in environ:
            headers.append(_STALE)
        if CSRF in environ:
            headers.append((CSRF_HEADER, environ[CSRF]))

    def _record(self, environ: dict[str, Any], status: int, seconds: float) -> None:
        request: Request = environ["werkzeug.request"]
        rule, method = request.url_rule, request.method
        counted = method if rule or method in _METHODS else _OTHER
        self._tally.note((counted, rule.rule if rule else "-", status), seconds)
        if self._logs:
            log_answer(request, status, seconds)


def register_middleware(app: Flask, settings: Settings) -> RequestTally:
    """Put the middleware around an application, and return the tally of its answers."""
    tally = RequestTally()
    logs = settings.log_level in _LOGGED
    app.wsgi_app = Middleware(app.wsgi_app, tally, logs=logs)  # type: ignore[method-assign]
    return tally
