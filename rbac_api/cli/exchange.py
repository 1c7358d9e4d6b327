"""One request and its answer.

A thread makes as much of the answer as may be in memory, and is free while the client receives it.

gunicorn parses the request and frames the answer. Invalid HTTP is answered with a problem document, like
every other error.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any

import gunicorn.http.wsgi as writing
import orjson
from gunicorn.http import get_parser
from gunicorn.http.errors import (
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    NoMoreData,
    ParseException,
)

from rbac_api.cli.connection import MIN_BYTES_PER_SECOND, STALLED_SECONDS, Connection
from rbac_api.formats.http_errors import HeadersTooLarge, Malformed, ProtocolError, Unexpected, UriTooLong
from rbac_api.observability.logs import log
from rbac_api.web.responses.problems import MEDIA_TYPE, problem_body

MAX_UNSENT_BYTES = 128 * 1024  # unsent bytes of a streamed answer, at most
_PROBLEMS: dict[type[BaseException], type[ProtocolError]] = {
    LimitRequestLine: UriTooLong,
    LimitRequestHeaders: HeadersTooLarge,
}
_OUR_FAULT = (InvalidResponseHeader, InvalidResponseHeaderName)


class ResponseWithoutServer(writing.Response):
    """gunicorn's answers without its ``Server`` header, for which it has no setting."""

    def default_headers(self) -> list[str]:
        return [line for line in super().default_headers() if not line.startswith("Server:")]


class Exchange:
    """One request and its answer.

    ``done`` when the answer is complete; ``keeps`` if another request may follow.
    """

    def __init__(self, worker: Any, conn: Connection, request: bytes) -> None:
        self.done = self.keeps = False
        self._worker = worker
        self._conn = conn
        self._parser = get_parser(worker.cfg, [request], conn.client)
        self._response: Any = None
        self._body: Any = None
        self._pieces: Iterator[bytes] = iter(())
        conn.allowance = STALLED_SECONDS

    def advance(self) -> None:
        """Make more of the answer, and send what the client receives without waiting. Runs in a thread."""
        before = self._conn.outbox.size
        try:
            if self._response is None:
                self._begin()
            self._make()
        except BaseException as fault:  # noqa: BLE001 -- the thread must survive any error
            self._fail(fault)
        self._conn.allowance += (self._conn.outbox.size - before) / MIN_BYTES_PER_SECOND
        self._conn.flush()

    def close(self) -> None:
        """Close the body, complete or not."""
        body, self._body = self._body, None
        if hasattr(body, "close"):
            body.close()

    def _begin(self) -> None:
        conn, worker = self._conn, self._worker
        request = next(self._parser)
        self._response, environ = writing.create(
            request, conn.outbox, conn.client, conn.server, worker.cfg, response_class=ResponseWithoutServer
        )
        environ["wsgi.multithread"] = True
        if not worker.alive:
            self._response.force_close()
        self._body = worker.wsgi(environ, self._response.start_response)
        self._pieces = iter(self._body)

    def _make(self) -> None:
        for piece in self._pieces:
            self._response.write(piece)
            if self._conn.outbox.size >= MAX_UNSENT_BYTES:
                return
        self._response.close()
        self.close()
        self.keeps = not self._response.should_close() and self._parser.finish_body()
        self.done = True

    def _fail(self, fault: BaseException) -> None:
        self.done, self.keeps = True, False
        try:
            self.close()
        finally:
            if self._response is not None and self._response.headers_sent:
                self._conn.gone = True  # the sent part of the answer must not look complete
                log.error("request.cut_off", exc_info=fault)
            else:
                answer_fault(self._conn.outbox.sendall, self._conn.client, fault)


def answer_fault(send: Callable[[bytes], object], client: Any, fault: BaseException) -> None:
    """Return the problem for an exception.

    An error of gunicorn's parser means a malformed request; any other is unexpected.
    """
    if isinstance(fault, ParseException | NoMoreData) and not isinstance(fault, _OUR_FAULT):
        log.warning("request.malformed", ip=client[0] if client else None, internal=repr(fault)[:200])
        send(refusal(_PROBLEMS.get(type(fault), Malformed)()))
    else:
        log.error("request.failed", exc_info=fault)
        send(refusal(Unexpected()))


def refusal(error: ProtocolError | Unexpected, headers: tuple[str, ...] = ()) -> bytes:
    """Return a whole answer, after which the connection is closed."""
    request_id = uuid.uuid4().hex
    body = orjson.dumps(problem_body(error, request_id))
    lines = (
        f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}",
        "Connection: close",
        f"Content-Type: {MEDIA_TYPE}",
        f"Content-Length: {len(body)}",
        f"X-Request-ID: {request_id}",
        "X-Content-Type-Options: nosniff",
        "Cache-Control: no-store",
        *headers,
    )
    return "\r\n".join((*lines, "", "")).encode() + body
