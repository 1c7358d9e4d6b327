"""Posts a text to an address of the operator: no redirects, limited in time."""

from __future__ import annotations

import http.client
from contextlib import closing
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 10.0
_CONNECTIONS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


class PostFailed(Exception):
    """The text was not accepted; the message says why, without the address, which may hold a token."""


def post(address: str, body: bytes) -> None:
    """Post plain text; ``PostFailed`` for any answer but 2xx, and for none within the time."""
    parts = urlsplit(address)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "rbac-api"}
    try:
        connection = _CONNECTIONS[parts.scheme](parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)
        with closing(connection):
            connection.request("POST", path, body, headers)
            status = connection.getresponse().status
    except (OSError, ValueError, http.client.HTTPException) as fault:
        raise PostFailed(type(fault).__name__) from fault
    if not 200 <= status < 300:
        raise PostFailed(f"the answer was {status}")
