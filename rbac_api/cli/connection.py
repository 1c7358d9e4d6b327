"""One client's connection: what has arrived of its requests, and what was not sent yet of the answer.

Belongs to the event loop, and while a turn of its request runs, to that turn's thread; never to both.  No method waits for the client.
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

MOST_AT_ONCE = 65536
STALLED_SECONDS = 10.0  # that a client may take for any answer,
LEAST_RATE = 16 * 1024  # and one more for so many bytes of it
_PARTS_AT_ONCE = 16
_UNSENT_IN_SYSTEM = 128 * 1024  # bytes of an answer that the system takes ahead of the client
_GO_AHEAD = b"HTTP/1.1 100 Continue\r\n\r\n"


class ResponseBuffer:
    """The bytes of an answer that the client has not taken yet.  gunicorn's parser and writer take it for the socket."""

    def __init__(self) -> None:
        self._parts: deque[memoryview] = deque()
        self.size = 0

    def sendall(self, data: bytes) -> None:
        """Keep for sending."""
        self._parts.append(memoryview(data))
        self.size += len(data)

    def send(self, data: bytes) -> int:
        """Drop: only "100 Continue" comes this way, when the whole request is here already."""
        return len(data)

    def flush(self, sock: socket.socket) -> None:
        """Send what the socket takes at once.  ``OSError`` if the client has gone."""
        with suppress(BlockingIOError):
            while self._parts:
                self._drop(
                    sock.sendmsg([self._parts[n] for n in range(min(len(self._parts), _PARTS_AT_ONCE))])
                )

    def texts(self) -> Iterable[bytes]:
        """What is kept, whole; several connections may keep the same object."""
        return (part.obj for part in self._parts)  # type: ignore[misc]  # each was made of bytes

    def _drop(self, sent: int) -> None:
        self.size -= sent
        while self._parts and sent >= len(self._parts[0]):
            sent -= len(self._parts.popleft())
        if sent:
            self._parts[0] = self._parts[0][sent:]


class Connection:
    """See the module's docstring.  Compared by identity."""

    def __init__(
        self, sock: socket.socket, client: tuple[str, int], server: tuple[str, int], prefix: str = ""
    ) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT_IN_SYSTEM)
        self.sock = sock
        self.client = _plain(client[0]), client[1]
        self.server = server
        self.party = _party(self.client[0])
        self.inbox, self.outbox = RequestBuffer(prefix), ResponseBuffer()
        self.exchange: Any = None  # the request that is being answered: an ``Exchange``
        self.deadline = 0.0  # when the event loop stops waiting for the client
        self.allowance = 0.0  # seconds that the client may still take for the answer
        self.gone = False
        self._told_to_go_ahead = False

    @property
    def unfinished(self) -> bool:
        """Whether the client keeps us waiting amid a request or an answer."""
        return self.inbox.size > 0 or self.outbox.size > 0

    def receive(self) -> bytes | ProtocolError | None:
        """The whole request, or why it is refused; None if more is to come; nothing (``b""``) if the client has gone."""
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
            with suppress(OSError):  # it fits into the socket's buffer; a client that has gone needs none
                self.sock.send(_GO_AHEAD)
        elif request is not None:
            self._told_to_go_ahead = False
        return request

    def flush(self) -> None:
        """Send what the client takes at once."""
        try:
            self.outbox.flush(self.sock)
        except OSError:
            self.gone = True


def _plain(address: str) -> str:
    """IPv4 as such, also where a listener for both shows it as IPv6; no zone, which has a meaning on one machine alone."""
    found = ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return str(mapped or found)


def _party(address: str) -> str:
    """Whom a connection counts for: an address, or of IPv6 a /64, of which a single customer has all."""
    found = ip_address(address)
    return found.exploded[:19] if isinstance(found, IPv6Address) else address
