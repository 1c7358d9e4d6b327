"""Reads the headers of trusted proxies: the client's address and the prefix of this service.

A caller that bypasses the proxies can write anything into their headers, and it would go into rows, the trail
and URLs in answers. So a value that is not an address, or not a plain path, is ignored. Each has one form.
"""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from rbac_api.observability.logs import log
from rbac_api.settings import Settings
from rbac_api.value_checks import client_address, is_prefix


class _TrustedOnly:
    """Keeps what ProxyFix took from the headers if it is valid; otherwise the proxy counts as the client."""

    def __init__(self, inner: WSGIApplication) -> None:
        self._inner = inner
        self._warned = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        original = environ["werkzeug.proxy_fix.orig"]
        address = client_address(environ.get("REMOTE_ADDR") or "")
        if address is None and not self._warned:
            self._warned = True
            log.warning("proxy.address_unreadable", header=environ["HTTP_X_FORWARDED_FOR"][:64])
        environ["REMOTE_ADDR"] = address or original["REMOTE_ADDR"]
        prefix = environ.get("SCRIPT_NAME", "").rstrip("/")  # some proxies add a slash at the end
        environ["SCRIPT_NAME"] = prefix if is_prefix(prefix) else original["SCRIPT_NAME"]
        return self._inner(environ, start_response)


class _Mounted:
    """Removes the prefix under which the service is reached, if the proxy has not removed it."""

    def __init__(self, inner: WSGIApplication, prefix: str) -> None:
        self._inner = inner
        self._prefix = prefix

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        prefix = environ.get("SCRIPT_NAME") or self._prefix
        if prefix:
            environ["SCRIPT_NAME"] = prefix
            environ["PATH_INFO"] = within(prefix, environ["PATH_INFO"])
        return self._inner(environ, start_response)


def within(prefix: str, path: str) -> str:
    """Return the path without the prefix if it begins with it, else the path."""
    return path.removeprefix(prefix) or "/" if path == prefix or path.startswith(f"{prefix}/") else path


def register_forwarded(app: Flask, settings: Settings) -> None:
    """Trust address, scheme and host from the configured number of proxies, the prefix from the nearest."""
    if settings.proxy_hops or settings.script_name:
        app.wsgi_app = _Mounted(app.wsgi_app, settings.script_name)  # type: ignore[method-assign]
    if settings.proxy_hops:
        hops = settings.proxy_hops
        trusted = ProxyFix(_TrustedOnly(app.wsgi_app), x_for=hops, x_proto=hops, x_host=hops, x_prefix=1)
        app.wsgi_app = trusted  # type: ignore[method-assign]
