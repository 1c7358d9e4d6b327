"""Strong ETags (RFC 9110 section 8.8.3) over a row's version and its representation, and the conditions clients make with them."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from rbac_api.formats.http_errors import PreconditionRequired
from rbac_api.formats.row_versions import tag_of


def required_tags() -> frozenset[str]:
    """The strong tags of ``If-Match``.  Absent, or ``*`` (which would overwrite blindly): 428.  Only weak or garbled ones: none."""
    sent = request.if_match
    if sent.star_tag or not request.headers.get("If-Match", "").strip():
        raise PreconditionRequired()
    return frozenset(sent.as_set())


def tagged(answer: Response, representation: Any, version: int) -> Response:
    """Put the ETag on an answer; a GET whose ``If-None-Match`` knows it (weak comparison) becomes 304."""
    tag = tag_of(representation, version)
    if request.method in ("GET", "HEAD") and request.if_none_match.contains_weak(tag):
        answer = Response(status=304)
    answer.set_etag(tag)
    return answer
