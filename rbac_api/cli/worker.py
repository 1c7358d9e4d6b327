"""gunicorn's threaded worker, made patient: a thread is given only to a request that has arrived whole.

Left alone, gunicorn gives a thread to every connection that opens, and the thread then waits for the rest of the request without a
limit: as many clients as there are threads, each sending half a request, stop the service (CWE-400, "slow loris").  It also waits
in its event loop, up to two seconds each, for clients that do not close in their turn.  Here the event loop gathers what arrives and
never waits for anybody.  What breaks HTTP itself is answered like everything else, with a problem document.
"""

from __future__ import annotations

import selectors
import socket
import struct
import time
import uuid
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

import gunicorn.http.wsgi as writing
import orjson
from gunicorn.http.errors import (
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
)
from gunicorn.workers.gthread import TConn, ThreadWorker

from rbac_api.cli.arrival import Inbox
from rbac_api.web.logs import log
from rbac_api.web.problems import (
    MEDIA_TYPE,
    HeadersTooLarge,
    Malformed,
    ProtocolError,
    Unexpected,
    UriTooLong,
    problem_body,
)

ARRIVAL_SECONDS = 10.0  # from the first byte of a request to its last
LEAVING_SECONDS = (
    2.0  # for a client to close in its turn; cut off earlier it might lose the end of the answer
)
STALLED_SECONDS = 10  # for a client to take more of an answer
MOST_AT_ONCE = 65536
_GO_AHEAD = b"HTTP/1.1 100 Continue\r\n\r\n"
_PROBLEMS = {LimitRequestLine: UriTooLong, LimitRequestHeaders: HeadersTooLarge}
_OUR_FAULT = (InvalidResponseHeader, InvalidResponseHeaderName)


class Connection(TConn):
    """One client, with what it has sent so far."""

    def __init__(self, worker: Worker, sock: socket.socket, client: Any, server: Any) -> None:
        super().__init__(worker.cfg, sock, client, server)
        self.inbox = Inbox()
        self._take_leave: Callable[[Connection], None] = worker.take_leave
        self._told_to_go_ahead = False

    def receive(self) -> bytes | ProtocolError | None:
        """The whole request, or why it is refused; None if more is to come; nothing (``b""``) if the client has gone.  Never waits."""
        try:
            data = self.sock.recv(MOST_AT_ONCE)
        except OSError as fault:
            return None if isinstance(fault, BlockingIOError) else b""
        if not data:
            return b""
        self.inbox.add(data)
        return self.next_request()

    def next_request(self) -> bytes | ProtocolError | None:
        """The same, from what has been received already."""
        try:
            request = self.inbox.take()
        except ProtocolError as fault:
            return fault
        if request is None and self.inbox.wants_go_ahead and not self._told_to_go_ahead:
            self._told_to_go_ahead = True
            _send(self.sock, _GO_AHEAD)
        elif request is not None:
            self._told_to_go_ahead = False
        return request

    def feed(self, request: bytes) -> None:
        """Give the parser one whole request: reading it will not touch the socket."""
        self.init()
        self.parser.unreader.unread(request)

    def close(self, graceful: bool = False) -> None:
        """Close; gracefully without waiting for it."""
        if graceful:
            self._take_leave(self)
        else:
            super().close()


class Worker(ThreadWorker):
    """See the module's docstring.  Runs in the event loop's thread, except ``handle`` and ``handle_error``."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.leaving: deque[Connection] = deque()

    def accept(self, listener: socket.socket) -> None:
        with suppress(
            BlockingIOError, ConnectionAbortedError
        ):  # another worker was quicker, or the client has gone
            sock, client = listener.accept()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", STALLED_SECONDS, 0))
            self.nr_conns += 1
            self._watch(Connection(self, sock, client, listener.getsockname()))

    def on_pending_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        received = conn.receive()
        if received is not None:
            self.poller.unregister(client)
            self.pending_conns.remove(conn)
            self._go_on(conn, received)

    def on_client_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        received = conn.receive()
        if received is None:
            self._watch(conn)
        else:
            self._go_on(conn, received)

    def handle(self, conn: Connection) -> Any:
        """In a thread: answer the request that is whole, and those that were sent right behind it."""
        while going_on := super().handle(conn):
            following = conn.next_request()
            if isinstance(following, ProtocolError):
                self._refuse(conn.sock, following)
                return False
            if following is None:
                break
            conn.feed(following)
        return going_on

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:
        """In a thread: what gunicorn's parser refuses is malformed; anything else that comes here should not have happened."""
        if isinstance(exc, ParseException) and not isinstance(exc, _OUR_FAULT):
            log.warning("request.malformed", ip=addr[0] if addr else None, internal=repr(exc)[:200])
            self._refuse(client, _PROBLEMS.get(type(exc), Malformed)())
        else:
            log.error("request.failed", exc_info=exc)
            self._refuse(client, Unexpected())

    def take_leave(self, conn: Connection) -> None:
        """Say that nothing more will come, and close when the client has, or after a while (RFC 9112 section 9.6)."""
        with suppress(OSError):  # the client has gone: reading will tell
            conn.sock.shutdown(socket.SHUT_WR)
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + LEAVING_SECONDS
        self.leaving.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._on_leaving_readable, conn))

    def murder_pending(self) -> None:
        super().murder_pending()
        while self.leaving and self.leaving[0].timeout <= time.monotonic():
            self._let_go(self.leaving[0])

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for conn in self.pending_conns:
            conn.timeout = min(conn.timeout, deadline)

    def _watch(self, conn: Connection) -> None:
        conn.timeout = time.monotonic() + ARRIVAL_SECONDS
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, readable)

    def _go_on(self, conn: Connection, received: bytes | ProtocolError) -> None:
        if isinstance(received, bytes) and received:
            conn.feed(received)
            self.enqueue_req(conn)
            return
        self.nr_conns -= 1
        if isinstance(received, ProtocolError):
            self._refuse(conn.sock, received)
        conn.close(graceful=bool(received))

    def _on_leaving_readable(self, conn: Connection, client: socket.socket) -> None:
        with suppress(OSError):
            if client.recv(MOST_AT_ONCE):
                return  # of no interest any more
        self._let_go(conn)

    def _let_go(self, conn: Connection) -> None:
        self.leaving.remove(conn)
        self.poller.unregister(conn.sock)
        conn.close()

    def _refuse(self, client: socket.socket, error: ProtocolError) -> None:
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
        )
        _send(client, "\r\n".join((*lines, "", "")).encode() + body)


def _send(client: socket.socket, data: bytes) -> None:
    """Send what fits into the socket's buffer, which a short answer does; a client that has gone needs none."""
    with suppress(OSError):
        client.send(data)


class _Unsigned(writing.Response):
    """gunicorn's answers without its ``Server`` header, for which it has no setting."""

    def default_headers(self) -> list[str]:
        return [line for line in super().default_headers() if not line.startswith("Server:")]


writing.Response = _Unsigned  # type: ignore[misc]
