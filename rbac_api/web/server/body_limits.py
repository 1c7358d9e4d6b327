"""How large a body may be: 64 KiB, and more at the few addresses declared here.

The server asks before it takes a request in (``cli.request_framing``), the application before it reads one (``web.server.http_setup``).
"""

from __future__ import annotations

LARGEST_BODY = 64 * 1024
LARGER_BODIES: dict[str, int] = {
    "/access/v1/evaluations": 1024 * 1024,  # many questions at once
    "/v1/policy/plan": 16 * 1024 * 1024,  # whole policies
    "/v1/policy/apply": 16 * 1024 * 1024,
}
"""Beginnings of addresses, and how large a body may be below them."""


def largest_body(path: str) -> int:
    """How many bytes the body of a request to this address may have.  An address spelt in another way has no privilege."""
    return next((size for begin, size in LARGER_BODIES.items() if path.startswith(begin)), LARGEST_BODY)
