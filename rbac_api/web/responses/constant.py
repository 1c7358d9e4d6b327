"""Answers whose bytes never change while the service runs: with a strong ETag, gzip and 304.

Only for public content that is the same for every caller: compressing a secret together with an attacker's
text would reveal the secret.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cached_property
from typing import Final

from flask import Response, request

ASK_EACH_TIME: Final = "no-cache"  # caches ask each time: mostly a 304, and an upgrade shows at once
KEEP: Final = "public, max-age=31536000, immutable"  # for an address that changes with the content


class Fixed:
    """One body with its media type; compressed at the first request that accepts gzip."""

    def __init__(self, body: bytes, media_type: str) -> None:
        self.body = body
        self.digest = hashlib.sha256(body).hexdigest()[:32]  # equal on all nodes
        self._media_type = media_type

    def answer(self, caching: str = ASK_EACH_TIME) -> Response:
        """Answer the current request and its preconditions.

        Each encoding has its own ETag (RFC 9110 section 8.8.3.3).
        """
        packed = self._packed if _takes_gzip() else None
        response = Response(packed or self.body, content_type=self._media_type)
        response.headers["Cache-Control"] = caching
        response.headers["Vary"] = (
            "Accept-Encoding, X-Forwarded-Prefix"  # the document and the page name the prefix
        )
        response.set_etag(f"{self.digest}-gzip" if packed else self.digest)
        if packed:
            response.headers["Content-Encoding"] = "gzip"
        response.make_conditional(request)
        return response

    @cached_property
    def _packed(self) -> bytes | None:
        """None where compressing saves nothing, as for images."""
        packed = gzip.compress(self.body, compresslevel=6, mtime=0)
        return packed if len(packed) < len(self.body) else None


def _takes_gzip() -> bool:
    accepted = request.accept_encodings
    return accepted.quality("gzip") > 0 and accepted.quality("gzip") >= accepted.quality("identity")
