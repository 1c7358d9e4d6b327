"""Finds the end of a request by its framing alone (RFC 9112 sections 2 and 6).

gunicorn parses the request afterwards, and makes its own checks. So where the framing contradicts itself (two
lengths, a length and chunks), the request counts as complete, and gunicorn's parser refuses it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rbac_api.formats.http_errors import HeadersTooLarge, Malformed, TooLarge, UriTooLong
from rbac_api.web.server.middleware import MAX_BODY_BYTES, max_body_bytes
from rbac_api.web.server.proxy_headers import within

MAX_LINE_LENGTH = 8190
MAX_HEAD_BYTES = 32 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([^\r]*?)[ \t]*\r")
_CODING = re.compile(rb"\r\ntransfer-encoding:([^\r]*)\r")
_EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r")
_ORIGIN = re.compile(rb"\r\norigin:[ \t]*([\x21-\x7e]{1,256})[ \t]*(?=\r|\Z)", re.IGNORECASE)
_CHUNK = re.compile(rb"\r\n([0-9a-fA-F]{1,8})")
_TARGET = re.compile(rb"[^ ]+ ([^ ?]*)")
_LONGEST_CHUNK_LINE = 12


class RequestBuffer:
    """The bytes of one connection that no request has taken yet. No byte is examined twice."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._held = bytearray()
        self._searched = 0
        self._body: _Counted | _Chunked | None = None
        self._largest = _largest_request(MAX_BODY_BYTES)
        self.wants_go_ahead = False  # the client waits for "100 Continue" (RFC 9110 section 10.1.1)

    @property
    def size(self) -> int:
        """The number of bytes that no request has taken yet."""
        return len(self._held)

    @property
    def origin(self) -> str:
        """The ``Origin`` header of what has arrived, if there is one; for the answer to a refused request."""
        found = _ORIGIN.search(bytes(self._held[:MAX_HEAD_BYTES]).partition(b"\r\n\r\n")[0])
        return found[1].decode("latin-1") if found else ""

    def add(self, data: bytes) -> None:
        """Append received bytes."""
        self._held += data

    def take(self) -> bytes | None:
        """Take the first request out of the buffer; None if it is not complete.

        ``ProtocolError`` if it can never be a valid request.
        """
        end = self._end()
        if end is None:
            if len(self._held) > self._largest:
                raise TooLarge()
            return None
        request = bytes(self._held[:end])
        del self._held[:end]
        self._searched, self._body, self.wants_go_ahead = 0, None, False
        return request

    def _end(self) -> int | None:
        body = self._body or self._find_head()
        return body.end(self._held) if body else None

    def _find_head(self) -> _Counted | _Chunked | None:
        begin = 2 if self._held[:2] == b"\r\n" else 0  # one empty line may come before (RFC 9112 section 2.2)
        at = self._held.find(b"\r\n\r\n", max(begin, self._searched))
        self._searched = max(0, len(self._held) - 3)
        length = at if at >= 0 else len(self._held)
        if length > MAX_LINE_LENGTH and self._held.find(b"\r\n", begin, MAX_LINE_LENGTH) < 0:
            raise UriTooLong()
        if length > MAX_HEAD_BYTES:
            raise HeadersTooLarge()
        if at < 0:
            return None
        head = bytes(self._held[begin : at + 4]).lower()
        room = _room(head, self._prefix)
        self._body, self._largest = _framing(head, at + 4, room), _largest_request(room)
        self.wants_go_ahead = _EXPECTS.search(head) is not None
        return self._body


@dataclass(slots=True)
class _Counted:
    """A body of a known number of bytes, or none."""

    stop: int

    def end(self, held: bytearray) -> int | None:
        return self.stop if len(held) >= self.stop else None


@dataclass(slots=True)
class _Chunked:
    """A body in chunks (RFC 9112 section 7.1).

    ``at`` is where the line break before the next chunk's size begins.

    Chunk extensions and trailer fields are refused: no code here reads them, and they have been used to
    smuggle requests.
    """

    at: int
    room: int
    size: int = 0
    last: bool = False

    def end(self, held: bytearray) -> int | None:
        while (line_end := held.find(b"\r\n", self.at + 2)) >= 0:
            if self.last:
                return self._after_last(line_end)
            self._next_chunk(held, line_end)
        if len(held) - self.at > _LONGEST_CHUNK_LINE:
            raise Malformed()
        return None

    def _next_chunk(self, held: bytearray, line_end: int) -> None:
        line = _CHUNK.fullmatch(held, self.at, line_end)
        if line is None:
            raise Malformed()
        length = int(line[1], 16)
        self.size += length
        if self.size > self.room:
            raise TooLarge()
        self.last = length == 0
        self.at = line_end + (length + 2 if length else 0)

    def _after_last(self, line_end: int) -> int:
        if line_end != self.at + 2:
            raise Malformed()
        return line_end + 2


def _room(head: bytes, prefix: str) -> int:
    """Return how large the body may be, by the path in the request line."""
    found = _TARGET.match(head)
    return (
        max_body_bytes(within(prefix, found[1].decode("latin-1")) if prefix else found[1].decode("latin-1"))
        if found
        else MAX_BODY_BYTES
    )


def _largest_request(body: int) -> int:
    """Return how many bytes a chunked body may take with its framing.

    A chunk of one byte needs six bytes; real clients send larger chunks.
    """
    return MAX_HEAD_BYTES + 2 * body


def _framing(head: bytes, start: int, room: int) -> _Counted | _Chunked:
    lengths, codings = _LENGTH.findall(head), _CODING.findall(head)
    if codings:
        chunked = codings[-1].rpartition(b",")[2].strip() == b"chunked"
        return _Chunked(start - 2, room) if chunked and not lengths else _Counted(start)
    if len(lengths) != 1 or not lengths[0].isdigit():
        return _Counted(start)
    if len(lengths[0]) > 9 or int(lengths[0]) > room:
        raise TooLarge()
    return _Counted(start + int(lengths[0]))
