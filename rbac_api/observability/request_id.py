"""A name for each request: the client's own if it is a decent one, else a new random one.  Echoed, logged, and kept in the trail."""

from __future__ import annotations

import random
import re
from typing import Any

from flask import has_request_context, request

_DECENT = re.compile(r"[A-Za-z0-9._-]{1,128}")
HEADER = "X-Request-ID"
REQUEST_ID = "rbac.request_id"  # in the WSGI environment
# Below this address a client names its requests as it likes, and finds that very name in the answer (AuthZEN section 10.1.4).
VERBATIM = "/access/v1/"
_SAYABLE = re.compile(r"[!-~](?:[ -~]{0,254}[!-~])?")  # what a header can carry unchanged


def name_request(environ: dict[str, Any]) -> str:
    """The name offered, or a new one: 128 bits that need not be secret, so they need no system call."""
    offered: str | None = environ.get("HTTP_X_REQUEST_ID")
    if offered and _DECENT.fullmatch(offered):
        return offered
    return random.getrandbits(128).to_bytes(16, "big").hex()


def echoed_name(environ: dict[str, Any]) -> str:
    """The name that the answer carries; trail and log have the decent one."""
    offered: str | None = environ.get("HTTP_X_REQUEST_ID")
    if offered and environ["PATH_INFO"].startswith(VERBATIM) and _SAYABLE.fullmatch(offered):
        return offered
    name: str = environ[REQUEST_ID]
    return name


def request_id() -> str:
    """The present request's name, given now where the application around it gives none; empty outside a request."""
    if not has_request_context():
        return ""
    environ = request.environ
    if REQUEST_ID not in environ:
        environ[REQUEST_ID] = name_request(environ)
    name: str = environ[REQUEST_ID]
    return name
