"""How much of a request has arrived: found out from its framing alone, before anything of it is believed (RFC 9112 sections 2 and 6).

Nothing here is parsed for use; gunicorn's parser does that afterwards, and refuses on its own account.  So where the framing
contradicts itself (two lengths, a length and chunks), the request counts as arrived and the parser's refusal is the answer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rbac_api.formats.http_errors import HeadersTooLarge, Malformed, TooLarge, UriTooLong
from rbac_api.web.server.body_limits import LARGEST_BODY, largest_body
from rbac_api.web.server.proxy_headers import within

LONGEST_LINE = 8190
LARGEST_HEAD = 32 * 1024
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([^\r]*?)[ \t]*\r")
_CODING = re.compile(rb"\r\ntransfer-encoding:([^\r]*)\r")
_EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*\r")
_ORIGIN = re.compile(rb"\r\norigin:[ \t]*([\x21-\x7e]{1,256})[ \t]*(?=\r|\Z)", re.IGNORECASE)
_CHUNK = re.compile(rb"\r\n([0-9a-fA-F]{1,8})")
_TARGET = re.compile(rb"[^ ]+ ([^ ?]*)")
_LONGEST_CHUNK_LINE = 12


class RequestBuffer:
    """The bytes of one connection that were not handed on yet, and how far they have been looked at: no byte is looked at twice."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._held = bytearray()
        self._searched = 0
        self._body: _Counted | _Chunked | None = None
        self._largest = _largest_request(LARGEST_BODY)
        self.wants_go_ahead = False  # the client waits for "100 Continue" (RFC 9110 section 10.1.1)

    @property
    def size(self) -> int:
        """The bytes that were not handed on yet."""
        return len(self._held)

    @property
    def origin(self) -> str:
        """The origin of the page that sends what has arrived, if it says one; for the answer to a request that is refused."""
        found = _ORIGIN.search(bytes(self._held[:LARGEST_HEAD]).partition(b"\r\n\r\n")[0])
        return found[1].decode("latin-1") if found else ""

    def add(self, data: bytes) -> None:
        """Append what was received."""
        self._held += data

    def take(self) -> bytes | None:
        """The first request, cut off, if it is whole; None if more is to come.  Raises a ``ProtocolError`` if it never will do."""
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
        if length > LONGEST_LINE and self._held.find(b"\r\n", begin, LONGEST_LINE) < 0:
            raise UriTooLong()
        if length > LARGEST_HEAD:
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
    """A body of so many bytes, or none."""

    stop: int

    def end(self, held: bytearray) -> int | None:
        return self.stop if len(held) >= self.stop else None


@dataclass(slots=True)
class _Chunked:
    """A body in chunks (RFC 9112 section 7.1).  ``at`` is where the line break before the next chunk's size begins.

    Chunk extensions and trailer fields are refused: nothing here reads them, and others have been smuggled past by them.
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
    """How large the body may be, by the address in the request line."""
    found = _TARGET.match(head)
    return (
        largest_body(within(prefix, found[1].decode("latin-1")) if prefix else found[1].decode("latin-1"))
        if found
        else LARGEST_BODY
    )


def _largest_request(body: int) -> int:
    """Chunks of a byte each need six: an honest client sends larger ones."""
    return LARGEST_HEAD + 2 * body


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
