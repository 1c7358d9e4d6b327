"""The worker process: an event loop that waits for the clients, and threads that never do.

gunicorn's own threaded worker lends a thread to each connection, for as long as its client takes to send a request and to read the answer:
as many clients as there are threads, each slow, stop the service (CWE-400).  Here the event loop gathers a request until it is whole and
keeps what a client has not taken of an answer; a thread is lent for making the answer alone.  Every wait for a client has a deadline:

- ``ARRIVAL_SECONDS`` from the first byte of a request to its last;
- ``STALLED_SECONDS`` and a second for each ``LEAST_RATE`` bytes for taking an answer, whole;
- ``RBAC_KEEPALIVE_SECONDS`` for the next request; ``LEAVING_SECONDS`` for closing in turn.

A request that was sent right behind another is begun when the answer to that one is on its way, and one of them at a time: they wait for
the requests of all other connections.  How many connections there may be, and which make room: ``cli.connections``.
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

from rbac_api.cli.connection import MOST_AT_ONCE, Connection
from rbac_api.cli.connections import Connections, Queue
from rbac_api.cli.exchange import Exchange, answer_fault, refusal
from rbac_api.formats.http_errors import ProtocolError
from rbac_api.observability.logs import log
from rbac_api.observability.metrics import CLOSED
from rbac_api.value_checks import browser_origins
from rbac_api.web.server.http_setup import EXPOSED_HEADERS

ARRIVAL_SECONDS = 10.0
LEAVING_SECONDS = 2.0  # cut off earlier, a client might lose the end of the answer (RFC 9112 section 9.6)
STOPPING_SECONDS = 2.0  # in which a worker that stops still answers on connections that are open
LOOK_SECONDS = 0.5  # how often deadlines are looked at
MOST_HELD = 256 * 1024 * 1024  # bytes of half requests and unsent answers
_REPORT_SECONDS = 60.0
_RESET = struct.pack("ii", 1, 0)


class Worker(GunicornWorker):
    """See the module's docstring.  Everything runs in the event loop's thread, except ``_serve`` and ``handle_error``."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)
        most_of_one = (
            self.cfg.worker_connections
            if self.app.settings.proxy_hops
            else self.app.settings.address_connections
        )
        self._origins = browser_origins(self.app.settings.cors_origins)
        self._crowd = Connections(self.cfg.worker_connections, most_of_one)
        self._queue, self._followers = Queue(), Queue()
        self._following: Connection | None = None
        self._accepted: list[Connection] = []
        self._served: deque[Connection] = deque()
        self._running = 0
        self._closed: Counter[str] = Counter()
        self._next_look = self._next_report = 0.0

    def init_process(self) -> None:
        self._poller = selectors.DefaultSelector()
        self._pool = ThreadPoolExecutor(self.cfg.threads)
        self._ear, self._bell = socket.socketpair()
        self._ear.setblocking(False)
        self._bell.setblocking(False)
        super().init_process()

    def handle_exit(self, sig: int, frame: object) -> None:
        """SIGTERM: stop in good order."""
        super().handle_exit(sig, frame)
        self._ring()

    def handle_error(self, req: object, client: socket.socket, addr: object, exc: BaseException) -> None:
        """Answer a fault of the client's, or of ours."""
        answer_fault(client.sendall, addr, exc)

    def run(self) -> None:
        """Serve until told to stop, and then those who are there."""
        self._poller.register(self._ear, selectors.EVENT_READ, self._collect)
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
        for conn in self._crowd.waiting:
            conn.deadline = min(conn.deadline, now + STOPPING_SECONDS)
        while self._crowd.size and monotonic() < now + self.cfg.graceful_timeout:
            self._turn()
        self._pool.shutdown(wait=False)
        for listener in self.sockets:
            listener.close()

    def _turn(self) -> None:
        for key, _ in self._poller.select(LOOK_SECONDS):
            key.data()
        while self._accepted:
            if surplus := self._crowd.in_excess(self._accepted.pop().party):
                self._drop(surplus, "number")
        now = monotonic()
        if now >= self._next_look:
            self._next_look = now + LOOK_SECONDS
            self._look(now)

    def _look(self, now: float) -> None:
        """What is done again and again: say that we live, end what took too long, and what holds too much."""
        self.notify()
        self.alive = self.alive and self.ppid == os.getppid()  # else the master has gone
        for conn in self._crowd.waiting:
            if conn.deadline <= now:
                self._drop(conn, "deadline")
        held = self._crowd.held()
        while held.total() > MOST_HELD and (longest := self._crowd.longest(held)):
            self._drop(longest, "memory")
            held = self._crowd.held()
        if self._closed and now >= self._next_report:
            self._next_report = now + _REPORT_SECONDS
            log.warning("connections.closed", **self._closed)
            self._closed.clear()

    def _accept(self, listener: socket.socket) -> None:
        try:
            sock, client = listener.accept()
        except OSError as fault:  # another worker was quicker, or the client has gone
            if fault.errno in (errno.EMFILE, errno.ENFILE) and (longest := self._crowd.longest()):
                self._drop(longest, "files")
            return
        conn = Connection(sock, client, listener.getsockname(), self.app.settings.script_name)
        self._crowd.enter(conn)
        self._wait(conn, ARRIVAL_SECONDS, selectors.EVENT_READ, self._on_readable)
        self._accepted.append(conn)

    def _wait(self, conn: Connection, seconds: float, event: int, then: Callable[[Connection], None]) -> None:
        limit = seconds if self.alive else min(seconds, STOPPING_SECONDS)
        self._crowd.wait(conn, monotonic() + limit)
        self._poller.register(conn.sock, event, partial(then, conn))

    def _on_readable(self, conn: Connection) -> None:
        began = conn.inbox.size == 0
        received = conn.receive()
        if received is None and not began:
            return
        self._poller.unregister(conn.sock)
        self._crowd.serve(conn)
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
            self._take_leave(conn)
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
        self._ring()

    def _ring(self) -> None:
        with suppress(OSError):  # it rings already
            self._bell.send(b"\0")

    def _collect(self) -> None:
        self._ear.recv(MOST_AT_ONCE)
        while self._served:
            conn = self._served.popleft()
            self._running -= 1
            if conn is self._following:
                self._following = None
            self._go_on(conn)
        self._dispatch()

    def _go_on(self, conn: Connection) -> None:
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
            self._take_leave(conn)

    def _on_writable(self, conn: Connection) -> None:
        conn.flush()
        if conn.gone or not conn.outbox.size:
            self._poller.unregister(conn.sock)
            self._crowd.serve(conn)
            conn.allowance = conn.deadline - monotonic()
            self._go_on(conn)

    def _shared_with(self, origin: str) -> tuple[str, ...]:
        """The headers with which a page of an allowed origin can read an answer that never reached the application."""
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

    def _take_leave(self, conn: Connection) -> None:
        """Say that nothing more will come, and close when the client has, or after a while."""
        with suppress(OSError):  # the client has gone: reading will tell
            conn.sock.shutdown(socket.SHUT_WR)
        self._wait(conn, LEAVING_SECONDS, selectors.EVENT_READ, self._on_leaving)

    def _on_leaving(self, conn: Connection) -> None:
        with suppress(OSError):
            if conn.sock.recv(MOST_AT_ONCE):
                return  # of no interest any more
        self._poller.unregister(conn.sock)
        self._close(conn)

    def _drop(self, conn: Connection, reason: str) -> None:
        """End a connection whose client keeps us waiting."""
        if conn.unfinished:
            self._closed[reason] += 1
            CLOSED.labels(reason).inc()
        if conn.outbox.size:  # else the system would go on offering what it has of the answer
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: Connection) -> None:
        self._crowd.leave(conn)
        conn.sock.close()
        if conn.exchange:
            self._pool.submit(conn.exchange.close)
