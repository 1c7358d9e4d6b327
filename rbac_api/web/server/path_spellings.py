"""Refuses every spelling of a path but one (RFC 3986 section 6.2.2).

A proxy's rule for a path may not match the other spellings.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from flask import Flask, request

from rbac_api.formats.http_errors import PathNotCanonical

_AUTHORITY = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
# Empty and dot segments, parameters, encoded slashes, and encoded characters that need no encoding.
_UNUSUAL = re.compile(
    r"//|/\.{1,2}(?:/|\Z)|[;#\\]|%(?![0-9a-f]{2})|%(?:2[d-f]|3[0-9]|[46][1-9a-f]|[57][0-9a]|5[cf]|7e)",
    re.IGNORECASE,
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
