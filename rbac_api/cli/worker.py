"""The worker process: an event loop that waits for clients, and threads that never wait for them.

gunicorn's threaded worker uses a thread for each connection while its client sends a request and reads the
answer: as many slow clients as there are threads stop the service (CWE-400). Here the event loop collects the
request until it is complete, and buffers the part of an answer that the client has not received. A thread
only makes the answer. Every wait for a client has a deadline:

- ``ARRIVAL_SECONDS`` from the first byte of a request to its last;
- ``STALLED_SECONDS`` and a second for each ``MIN_BYTES_PER_SECOND`` bytes to receive a whole answer;
- ``RBAC_KEEPALIVE_SECONDS`` for the next request; ``LINGER_SECONDS`` for the client to close its side.

A pipelined request begins when the previous answer has been sent. Only one of them runs at a time, after the
requests of all other connections. ``cli.connections`` decides how many connections there may be, and which
one is closed.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
import struct
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from time import monotonic

from gunicorn.workers.base import Worker as GunicornWorker

from rbac_api.cli.connection import RECEIVE_BYTES, Connection
from rbac_api.cli.connections import Connections, Queue
from rbac_api.cli.exchange import Exchange, answer_fault, refusal
from rbac_api.formats.http_errors import ProtocolError
from rbac_api.observability.logs import log
from rbac_api.observability.metrics import CLOSED
from rbac_api.value_checks import browser_origins
from rbac_api.web.server.http_setup import EXPOSED_HEADERS

ARRIVAL_SECONDS = 10.0
LINGER_SECONDS = 2.0  # closed earlier, a client might lose the end of the answer (RFC 9112 section 9.6)
STOPPING_SECONDS = 2.0  # a stopping worker still answers on open connections for so long
CHECK_SECONDS = 0.5  # how often deadlines are checked
MAX_BUFFERED_BYTES = 256 * 1024 * 1024  # bytes of incomplete requests and unsent answers
_REPORT_SECONDS = 60.0
_RESET = struct.pack("ii", 1, 0)


class Worker(GunicornWorker):
    """gunicorn's worker with an event loop. Only ``_serve`` and ``handle_error`` run in other threads."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        most_of_one = (
            self.cfg.worker_connections
            if self.app.settings.proxy_hops
            else self.app.settings.address_connections
        )
        self._origins = browser_origins(self.app.settings.cors_origins)
        self._connections = Connections(self.cfg.worker_connections, most_of_one)
        self._queue, self._followers = Queue(), Queue()
        self._following: Connection | None = None
        self._accepted: list[Connection] = []
        self._served: deque[Connection] = deque()
        self._running = 0
        self._closed: Counter[str] = Counter()
        self._next_check = self._next_report = 0.0

    def init_process(self) -> None:
        self._poller = selectors.DefaultSelector()
        self._pool = ThreadPoolExecutor(self.cfg.threads)
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        super().init_process()

    def handle_exit(self, sig: int, frame: object) -> None:
        """Stop gracefully (SIGTERM)."""
        super().handle_exit(sig, frame)
        self._wake_up()

    def handle_error(self, req: object, client: socket.socket, addr: object, exc: BaseException) -> None:
        """Answer an error of the client or of the service."""
        answer_fault(client.sendall, addr, exc)

    def run(self) -> None:
        """Serve until stopped, and then finish the open connections."""
        self._poller.register(self._wake_reader, selectors.EVENT_READ, self._collect)
        for listener in self.sockets:
            listener.setblocking(False)
            self._poller.register(listener, selectors.EVENT_READ, partial(self._accept, listener))
        while self.alive:
            self._turn()
        self._stop()

    def _stop(self) -> None:
        for listener in self.sockets:
            self._poller.unregister(listener)
        now = monotonic()
        for conn in self._connections.waiting:
            conn.deadline = min(conn.deadline, now + STOPPING_SECONDS)
        while self._connections.size and monotonic() < now + self.cfg.graceful_timeout:
            self._turn()
        self._pool.shutdown(wait=False)
        for listener in self.sockets:
            listener.close()

    def _turn(self) -> None:
        for key, _ in self._poller.select(CHECK_SECONDS):
            key.data()
        while self._accepted:
            if surplus := self._connections.in_excess(self._accepted.pop().client_network):
                self._drop(surplus, "number")
        now = monotonic()
        if now >= self._next_check:
            self._next_check = now + CHECK_SECONDS
            self._check(now)

    def _check(self, now: float) -> None:
        """Report to the master, and close connections that took too long or hold too much memory."""
        self.notify()
        self.alive = self.alive and self.ppid == os.getppid()  # else the master has ended
        for conn in self._connections.waiting:
            if conn.deadline <= now:
                self._drop(conn, "deadline")
        held = self._connections.held()
        while held.total() > MAX_BUFFERED_BYTES and (longest := self._connections.longest(held)):
            self._drop(longest, "memory")
            held = self._connections.held()
        if self._closed and now >= self._next_report:
            self._next_report = now + _REPORT_SECONDS
            log.warning("connections.closed", **self._closed)
            self._closed.clear()

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, client = listener.accept()
        except OSError as fault:  # another worker was quicker, or the client has disconnected
            if fault.errno in (errno.EMFILE, errno.ENFILE) and (longest := self._connections.longest()):
                self._drop(longest, "files")
            return
        conn = Connection(sock, client, listener.getsockname(), self.app.settings.script_name)
        self._connections.enter(conn)
        self._wait(conn, ARRIVAL_SECONDS, selectors.EVENT_READ, self._on_readable)
        self._accepted.append(conn)

    def _wait(self, conn: Connection, seconds: float, event: int, then: Callable[[Connection], None]) -> None:
        limit = seconds if self.alive else min(seconds, STOPPING_SECONDS)
        self._connections.wait(conn, monotonic() + limit)
        self._poller.register(conn.sock, event, partial(then, conn))

    def _on_readable(self, conn: Connection) -> None:
        began = conn.inbox.size == 0
        received = conn.receive()
        if received is None and not began:
            return
        self._poller.unregister(conn.sock)
        self._connections.serve(conn)
        if received is None:
            self._wait(conn, ARRIVAL_SECONDS, selectors.EVENT_READ, self._on_readable)
        elif received:
            self._begin(conn, received, self._queue)
        else:
            self._close(conn)

    def _begin(self, conn: Connection, received: bytes | ProtocolError, queue: Queue) -> None:
        if isinstance(received, ProtocolError):
            conn.exchange = None
            conn.outbox.sendall(refusal(received, self._shared_with(conn.inbox.origin)))
            conn.flush()
            self._close_gracefully(conn)
        else:
            conn.exchange = Exchange(self, conn, received)
            queue.put(conn)
            self._dispatch()

    def _dispatch(self) -> None:
        while self._running < self.cfg.threads:
            conn = self._queue.take()
            if conn is None and self._following is None:
                conn = self._following = self._followers.take()
            if conn is None:
                return
            self._running += 1
            self._pool.submit(self._serve, conn)

    def _serve(self, conn: Connection) -> None:
        conn.exchange.advance()
        self._served.append(conn)
        self._wake_up()

    def _wake_up(self) -> None:
        with suppress(OSError):  # the event loop has a wake-up pending
            self._wake_writer.send(b"\0")

    def _collect(self) -> None:
        self._wake_reader.recv(RECEIVE_BYTES)
        while self._served:
            conn = self._served.popleft()
            self._running -= 1
            if conn is self._following:
                self._following = None
            self._continue(conn)
        self._dispatch()

    def _continue(self, conn: Connection) -> None:
        exchange = conn.exchange
        if conn.gone:
            self._close(conn)
        elif conn.outbox.size:
            self._wait(conn, conn.allowance, selectors.EVENT_WRITE, self._on_writable)
        elif exchange and not exchange.done:
            self._queue.put(conn)
            self._dispatch()
        elif exchange and exchange.keeps:
            self._next(conn)
        else:
            self._close_gracefully(conn)

    def _on_writable(self, conn: Connection) -> None:
        conn.flush()
        if conn.gone or not conn.outbox.size:
            self._poller.unregister(conn.sock)
            self._connections.serve(conn)
            conn.allowance = conn.deadline - monotonic()
            self._continue(conn)

    def _shared_with(self, origin: str) -> tuple[str, ...]:
        """Return the CORS headers for an answer that the application did not make."""
        if origin.lower() not in self._origins:
            return ()
        exposed = ", ".join(EXPOSED_HEADERS)
        return (
            f"Access-Control-Allow-Origin: {origin}",
            "Access-Control-Allow-Credentials: true",
            f"Access-Control-Expose-Headers: {exposed}",
            "Vary: Origin",
        )

    def _next(self, conn: Connection) -> None:
        conn.exchange = None
        following = conn.next_request()
        if following is not None:
            self._begin(conn, following, self._followers)
        else:
            seconds = ARRIVAL_SECONDS if conn.inbox.size else self.app.settings.keepalive_seconds
            self._wait(conn, seconds, selectors.EVENT_READ, self._on_readable)

    def _close_gracefully(self, conn: Connection) -> None:
        """Close the sending side, and the rest when the client has closed its side or the time is over."""
        with suppress(OSError):  # the client has disconnected: the next read reports it
            conn.sock.shutdown(socket.SHUT_WR)
        self._wait(conn, LINGER_SECONDS, selectors.EVENT_READ, self._on_leaving)

    def _on_leaving(self, conn: Connection) -> None:
        with suppress(OSError):
            if conn.sock.recv(RECEIVE_BYTES):
                return  # ignored
        self._poller.unregister(conn.sock)
        self._close(conn)

    def _drop(self, conn: Connection, reason: str) -> None:
        """Close a connection whose client is too slow."""
        if conn.unfinished:
            self._closed[reason] += 1
            CLOSED.labels(reason).inc()
        if conn.outbox.size:  # otherwise the kernel would go on sending its buffered part of the answer
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: Connection) -> None:
        self._connections.leave(conn)
        conn.sock.close()
        if conn.exchange:
            self._pool.submit(conn.exchange.close)
