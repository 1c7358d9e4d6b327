"""Gives each request an id: the client's ``X-Request-ID`` if it is well-formed, else a new random one.

The id is echoed in the answer, logged, and kept in the audit trail.
"""

from __future__ import annotations

import random
import re
from typing import Any

from flask import has_request_context, request

_DECENT = re.compile(r"[A-Za-z0-9._-]{1,128}")
HEADER = "X-Request-ID"
REQUEST_ID = "rbac.request_id"  # in the WSGI environment
# Below this path a client may send any printable id, and the answer repeats it unchanged (AuthZEN section
# 10.1.4).
VERBATIM = "/access/v1/"
_SAYABLE = re.compile(r"[!-~](?:[ -~]{0,254}[!-~])?")  # what a header can carry unchanged


def name_request(environ: dict[str, Any]) -> str:
    """Return the id that the client sent, or a new one.

    Its 128 bits need not be secret, so they need no system call.
    """
    offered: str | None = environ.get("HTTP_X_REQUEST_ID")
    if offered and _DECENT.fullmatch(offered):
        return offered
    return random.getrandbits(128).to_bytes(16, "big").hex()


def echoed_name(environ: dict[str, Any]) -> str:
    """Return the id for the answer. The trail and the log have the well-formed one."""
    offered: str | None = environ.get("HTTP_X_REQUEST_ID")
    if offered and environ["PATH_INFO"].startswith(VERBATIM) and _SAYABLE.fullmatch(offered):
        return offered
    name: str = environ[REQUEST_ID]
    return name


def request_id() -> str:
    """Return the id of the current request; empty outside a request.

    A request without an id, in a host application without our middleware, gets one here.
    """
    if not has_request_context():
        return ""
    environ = request.environ
    if REQUEST_ID not in environ:
        environ[REQUEST_ID] = name_request(environ)
    name: str = environ[REQUEST_ID]
    return name
