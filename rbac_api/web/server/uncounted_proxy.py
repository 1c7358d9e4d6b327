"""Warns in the log about a proxy that RBAC_PROXY_HOPS does not count: all clients then share its address."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from rbac_api.observability.logs import log

_SAID_BY_PROXIES = (
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_FORWARDED",
)
REMEDY = (
    "set RBAC_PROXY_HOPS to the number of proxies in front, or let them remove these headers: until then"
    " all clients count as one address, in rate limits and in the trail"
)
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class UncountedProxyWarning:
    """Checks requests until one comes from a proxy, and warns at most once per process."""

    def __init__(self, inner: Wsgi, hops: int) -> None:
        self._inner = inner
        self._hops = hops
        self._look = True

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if self._look and any(name in environ for name in _SAID_BY_PROXIES):
            self._look = False
            said = environ.get("HTTP_X_FORWARDED_FOR", "").count(",") + 1
            if self._hops == 0 or said < self._hops:
                log.warning(
                    "proxy.unheard", hops=self._hops, address=environ.get("REMOTE_ADDR"), remedy=REMEDY
                )
        return self._inner(environ, start_response)
