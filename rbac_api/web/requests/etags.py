"""Strong ETags (RFC 9110 section 8.8.3) over a row's version and its representation, and the conditions clients make with them."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from flask import Response, request

from rbac_api.web.responses.problems import PreconditionFailed, PreconditionRequired


def tag_of(representation: Any, version: int) -> str:
    """The opaque tag of a representation, without quotes: changes whenever the representation or the row's version does."""
    digest = hashlib.sha256(orjson.dumps(representation, option=orjson.OPT_SORT_KEYS)).hexdigest()
    return f"{version}-{digest[:20]}"


def required_tags() -> frozenset[str]:
    """The strong tags of ``If-Match``.  Absent, or ``*`` (which would overwrite blindly): 428.  Only weak or garbled ones: none."""
    sent = request.if_match
    if sent.star_tag or not request.headers.get("If-Match", "").strip():
        raise PreconditionRequired()
    return frozenset(sent.as_set())


def require_match(sent: frozenset[str], representation: Any, version: int) -> None:
    """412 unless one of the tags is the present one; to be called inside the transaction that writes."""
    if tag_of(representation, version) not in sent:
        raise PreconditionFailed()


def tagged(answer: Response, representation: Any, version: int) -> Response:
    """Put the ETag on an answer; a GET whose ``If-None-Match`` knows it (weak comparison) becomes 304."""
    tag = tag_of(representation, version)
    if request.method in ("GET", "HEAD") and request.if_none_match.contains_weak(tag):
        answer = Response(status=304)
    answer.set_etag(tag)
    return answer
