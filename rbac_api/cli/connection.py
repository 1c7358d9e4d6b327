"""One client's connection: the received part of its requests, and the unsent part of its answer.

It belongs to the event loop, or to a thread while that thread works on its request; never to both at once. No
method waits for the client.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from typing import Any

from rbac_api.cli.request_framing import RequestBuffer
from rbac_api.formats.http_errors import ProtocolError

RECEIVE_BYTES = 65536
STALLED_SECONDS = 10.0  # a client may take so long for any answer,
MIN_BYTES_PER_SECOND = 16 * 1024  # and one second more for this many bytes
_MAX_PARTS = 16
_UNSENT_IN_SYSTEM = 128 * 1024  # bytes of an answer that the kernel buffers
_GO_AHEAD = b"HTTP/1.1 100 Continue\r\n\r\n"


class ResponseBuffer:
    """The unsent bytes of an answer. gunicorn's parser and writer use this object as the socket."""

    def __init__(self) -> None:
        self._parts: deque[memoryview] = deque()
        self.size = 0

    def sendall(self, data: bytes) -> None:
        """Buffer the bytes for sending."""
        self._parts.append(memoryview(data))
        self.size += len(data)

    def send(self, data: bytes) -> int:
        """Discard the bytes: only "100 Continue" is sent this way, and the whole request has arrived."""
        return len(data)

    def flush(self, sock: socket.socket) -> None:
        """Send what the socket accepts without waiting. ``OSError`` if the client has disconnected."""
        with suppress(BlockingIOError):
            while self._parts:
                self._drop(sock.sendmsg([self._parts[n] for n in range(min(len(self._parts), _MAX_PARTS))]))

    def texts(self) -> Iterable[bytes]:
        """Return the buffered objects; several connections may hold the same object."""
        return (part.obj for part in self._parts)  # type: ignore[misc]  # each was made from bytes

    def _drop(self, sent: int) -> None:
        self.size -= sent
        while self._parts and sent >= len(self._parts[0]):
            sent -= len(self._parts.popleft())
        if sent:
            self._parts[0] = self._parts[0][sent:]


class Connection:
    """A client's socket with its buffers and its deadline. Compared by identity."""

    def __init__(
        self, sock: socket.socket, client: tuple[str, int], server: tuple[str, int], prefix: str = ""
    ) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_IN_SYSTEM)
        self.sock = sock
        self.client = _plain(client[0]), client[1]
        self.server = server
        self.client_network = _client_network(self.client[0])
        self.inbox, self.outbox = RequestBuffer(prefix), ResponseBuffer()
        self.exchange: Any = None  # the request that is being answered: an ``Exchange``
        self.deadline = 0.0  # when the event loop stops waiting for the client
        self.allowance = 0.0  # seconds that the client may still use to receive the answer
        self.gone = False
        self._continue_sent = False

    @property
    def unfinished(self) -> bool:
        """True if a request has arrived in part, or an answer was sent in part."""
        return self.inbox.size > 0 or self.outbox.size > 0

    def receive(self) -> bytes | ProtocolError | None:
        """Receive bytes and return the whole request, or the error that refuses it.

        None if the request is not complete; ``b""`` if the client has disconnected.
        """
        try:
            data = self.sock.recv(RECEIVE_BYTES)
        except OSError as fault:
            return None if isinstance(fault, BlockingIOError) else b""
        if not data:
            return b""
        self.inbox.add(data)
        return self.next_request()

    def next_request(self) -> bytes | ProtocolError | None:
        """Return the next request like ``receive``, from bytes that have arrived already."""
        try:
            request = self.inbox.take()
        except ProtocolError as fault:
            return fault
        if request is None and self.inbox.wants_go_ahead and not self._continue_sent:
            self._continue_sent = True
            with suppress(OSError):  # it fits into the socket's buffer
                self.sock.send(_GO_AHEAD)
        elif request is not None:
            self._continue_sent = False
        return request

    def flush(self) -> None:
        """Send what the client receives without waiting."""
        try:
            self.outbox.flush(self.sock)
        except OSError:
            self.gone = True


def _plain(address: str) -> str:
    """Return the address without its zone, and as IPv4 where a dual-stack listener shows IPv4 as IPv6."""
    found = ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)


def _client_network(address: str) -> str:
    """Return what a connection counts for: an IPv4 address, or an IPv6 /64, which belongs to one customer."""
    found = ip_address(address)
    return found.exploded[:19] if isinstance(found, IPv6Address) else address
