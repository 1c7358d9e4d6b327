"""Strong ETags (RFC 9110 section 8.8.3) and the preconditions of clients.

A tag is made of a row's version and its representation.
"""

from __future__ import annotations

from flask import Response, request

from rbac_api.formats.http_errors import PreconditionRequired
from rbac_api.formats.row_versions import tag_of


def required_tags() -> frozenset[str]:
    """Return the strong tags of ``If-Match``; none if it has only weak or malformed ones.

    428 if the header is absent, or ``*``, which would overwrite any state.
    """
    sent = request.if_match
    if sent.star_tag or not request.headers.get("If-Match", "").strip():
        raise PreconditionRequired()
    return frozenset(sent.as_set())


def tagged(answer: Response, representation: object, version: int) -> Response:
    """Set the ETag of an answer. A GET whose ``If-None-Match`` has the tag (weak comparison) becomes 304."""
    tag = tag_of(representation, version)
    if request.method in ("GET", "HEAD") and request.if_none_match.contains_weak(tag):
        answer = Response(status=304)
    answer.set_etag(tag)
    return answer
