"""A pooler in transaction mode before PostgreSQL, as small as can be: each transaction gets the server connection that was last given
back, as PgBouncer's do.

It speaks just enough of the protocol (PostgreSQL documentation, chapter 55) to know where a message ends and when a transaction does.
What a server says while no client holds its connection, such as a notification, is dropped, as PgBouncer does.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from urllib.parse import urlsplit, urlunsplit

_SSL, _STARTUP = 80877103, 196608
_FLUSHING = (
    b"Q",
    b"S",
    b"F",
)  # after these the server answers with ReadyForQuery, which ends in the transaction's state


class TransactionPooler:
    """Listens on a port of its own.  ``url`` leads through it; ``spread`` says over how many server connections at least."""

    def __init__(self, url: str, *, spread: int = 1) -> None:
        parts = urlsplit(url)
        self._target, self._user = (parts.hostname or "", parts.port or 5432), parts.username or ""
        self._database = parts.path.lstrip("/")
        self._idle = [self._connect() for _ in range(spread)]
        self._lock, self._closed = threading.Lock(), False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listener]
        self.url = urlunsplit(
            parts._replace(netloc=f"{self._user}@127.0.0.1:{self._listener.getsockname()[1]}")
        )
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """End every connection, and those that come back later."""
        with self._lock:
            self._closed = True
        for each in (*self._open, *self._idle):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError):
            self._welcome(client)
            while True:
                self._carry_transaction(client)

    def _welcome(self, client: socket.socket) -> None:
        while _packet(client)[0] == _SSL:
            client.sendall(b"N")
        parameters = {
            "client_encoding": "UTF8",
            "server_version": "17.0",
            "standard_conforming_strings": "on",
        }
        client.sendall(_message(b"R", struct.pack("!I", 0)))
        for name, value in parameters.items():
            client.sendall(_message(b"S", f"{name}\0{value}\0".encode()))
        client.sendall(_message(b"Z", b"I"))

    def _carry_transaction(self, client: socket.socket) -> None:
        kind, message = _read(client)
        server = self._take()
        try:
            state = b""
            while state != b"I":
                if kind == b"X":
                    raise ConnectionAbortedError
                server.sendall(message)
                if kind in _FLUSHING:
                    state = _answer(server, client)
                if state != b"I":
                    kind, message = _read(client)
        except OSError:
            server.close()  # in the middle of something: of no more use
            raise
        with self._lock:
            if self._closed:
                server.close()
            else:
                self._idle.append(server)

    def _take(self) -> socket.socket:
        with self._lock:
            server = self._idle.pop() if self._idle else None
        if server is None:
            return self._connect()
        server.setblocking(False)
        with suppress(BlockingIOError):
            while server.recv(65536):
                pass  # what came while it was nobody's
        server.setblocking(True)
        return server

    def _connect(self) -> socket.socket:
        server = socket.create_connection(self._target)
        names = f"user\0{self._user}\0database\0{self._database}\0\0".encode()
        server.sendall(struct.pack("!II", len(names) + 8, _STARTUP) + names)
        while _read(server)[0] != b"Z":
            pass
        return server


def _answer(server: socket.socket, client: socket.socket) -> bytes:
    """Pass on until the server is ready again; the transaction's state: idle, in a transaction, failed."""
    while True:
        kind, message = _read(server)
        client.sendall(message)
        if kind == b"Z":
            return message[-1:]


def _read(source: socket.socket) -> tuple[bytes, bytes]:
    head = _exactly(source, 5)
    return head[:1], head + _exactly(source, struct.unpack("!I", head[1:])[0] - 4)


def _packet(source: socket.socket) -> tuple[int, bytes]:
    """What a client begins with: no letter, a length, a number."""
    length, number = struct.unpack("!II", _exactly(source, 8))
    return number, _exactly(source, length - 8)


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        if not (piece := source.recv(count - len(data))):
            raise ConnectionAbortedError
        data += piece
    return data


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body
