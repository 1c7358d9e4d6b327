"""Limits the size of a body: 64 KiB, and more at the few paths declared here.

The server checks the limit before it receives a request (``cli.request_framing``), the application before it
reads one (``web.server.http_setup``).
"""

from __future__ import annotations

MAX_BODY_BYTES = 64 * 1024
MAX_BODY_BYTES_BELOW: dict[str, int] = {
    "/access/v1/evaluations": 1024 * 1024,  # many questions at once
    "/v1/policy/plan": 16 * 1024 * 1024,  # whole policies
    "/v1/policy/apply": 16 * 1024 * 1024,
}
"""Path prefixes, and how large a body may be below them."""


def max_body_bytes(path: str) -> int:
    """Return how many bytes the body of a request to this path may have.

    Another spelling of a path has no privilege.
    """
    return next(
        (size for begin, size in MAX_BODY_BYTES_BELOW.items() if path.startswith(begin)), MAX_BODY_BYTES
    )
