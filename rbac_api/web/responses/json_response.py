"""Writes JSON answers with orjson.

The marshmallow schemas document them, and the tests compare every answer with its schema.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from wsgiref.types import WSGIEnvironment

import orjson
from flask import Response, request
from werkzeug.datastructures import Headers

from rbac_api.formats.http_errors import NotAcceptable

_CHANGED = frozenset({"location", "content-location"})  # werkzeug may complete their URLs
SVG, MERMAID = "image/svg+xml", "text/vnd.mermaid"
FILE_FORMATS = ("text/csv", "application/x-ndjson", SVG, MERMAID)


class CompleteResponse(Response):
    """A response whose headers are sent as they are, if they are complete already.

    Otherwise werkzeug copies and searches them, which costs more than the decision on a request.
    """

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """Return the headers for the server."""
        names = {name.lower() for name, _ in self.headers}
        if self.status_code == 200 and "content-length" in names and names.isdisjoint(_CHANGED):
            return self.headers
        return super().get_wsgi_headers(environ)

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        """Return the body for the server, without a generator and an iterator around bytes that are all
        there."""
        if environ["REQUEST_METHOD"] != "GET" or self.status_code != 200 or not self.is_sequence:
            return super().get_app_iter(environ)
        body = list(self.response)
        if not all(isinstance(piece, bytes) for piece in body):
            return super().get_app_iter(environ)
        return Body(body, self.close)


class Body(list[bytes]):
    """The pieces of a body, and what the server calls when it has sent them (PEP 3333)."""

    __slots__ = ("close",)

    def __init__(self, pieces: Iterable[Any], close: Callable[[], None]) -> None:
        super().__init__(pieces)
        self.close = close


def with_no_store(answer: Response) -> Response:
    """Forbid keeping the answer, unless its view has said how it may be kept."""
    for name, _ in answer.headers:
        if name.lower() == "cache-control":
            return answer
    answer.headers.add("Cache-Control", "no-store")
    return answer


def json_answer(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON answer; datetimes become RFC 3339 with ``Z``."""
    dumped = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    return CompleteResponse(dumped, status=status, headers=headers, content_type="application/json")


def created_answer(body: object, location: str, headers: Mapping[str, str] | None = None) -> Response:
    """Answer 201 with ``Location`` (RFC 9110 section 15.3.2) and the resource."""
    return json_answer(body, 201, {"Location": request.script_root + location, **(headers or {})})


def empty_answer() -> Response:
    """204."""
    answer = Response(status=204)
    del answer.headers["Content-Type"]
    return answer


def refuse_unavailable(offered: tuple[str, ...]) -> None:
    """Raise 406 where ``Accept`` names a file format of this API and fits none of the types offered.

    Other types that are not offered (``text/html``) still get JSON, as RFC 9110 section 12.4.1 allows: many
    clients send a default ``Accept``. A client that asks for CSV cannot use JSON.
    """
    accept = request.environ.get("HTTP_ACCEPT", "").lower()
    if any(form in accept for form in FILE_FORMATS) and not _fitting(offered):
        raise NotAcceptable(
            f"This resource is available as {' or '.join(offered)}; name one of these in the Accept header."
        )


def preferred(*media: str) -> str:
    """Return the type that ``Accept`` prefers (RFC 9110 section 12.5.1); the first if it accepts none.

    ``Accept`` may name the charset UTF-8 as well, which every text here has.
    """
    return _fitting(media) or media[0]


def _fitting(media: tuple[str, ...]) -> str | None:
    offers = [offer for each in media for offer in (each, f"{each}; charset=utf-8")]
    found = request.accept_mimetypes.best_match(offers)
    return found.partition(";")[0] if found else None
