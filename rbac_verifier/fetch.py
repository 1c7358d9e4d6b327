"""Reads a public document from the service: one address, no redirects, limited in size and time."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from time import monotonic
from urllib.parse import urlsplit

MAX_ANSWER_BYTES = 4 << 20
_LINES = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


class Unreachable(Exception):
    """The document cannot be read; the text says why, for the log."""


@contextmanager
def one_at_a_time(lock: threading.Lock, max_wait: float) -> Iterator[None]:
    """Hold the lock; ``Unreachable`` if another thread holds it for too long."""
    if not lock.acquire(timeout=max_wait):
        raise Unreachable("another thread has been reading for too long")
    try:
        yield
    finally:
        lock.release()


class Source:
    """The service, as this process reaches it."""

    def __init__(self, address: str, timeout: float) -> None:
        parts = urlsplit(address)
        if parts.scheme not in _LINES or not parts.hostname or parts.query or parts.fragment:
            raise ValueError(f"not the http or https URL of a service: {address!r}")
        self._line = _LINES[parts.scheme]
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path.rstrip("/")
        self._timeout = timeout
        self.max_wait = 2 * timeout

    def get(self, path: str, *, past_caches: bool = False, most: int = MAX_ANSWER_BYTES) -> bytes:
        """Return the body of a 200, up to ``most`` bytes; ``Unreachable`` for any other result, in little
        more than the timeout."""
        headers = {"Cache-Control": "no-cache"} if past_caches else {}
        status, body = self._exchange("GET", path, None, headers, most)
        if status != 200:
            raise Unreachable(f"{path} answers {status}")
        return body

    def post(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Return status and body of the answer, whatever the status; otherwise as ``get``."""
        return self._exchange("POST", path, body, headers, MAX_ANSWER_BYTES)

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], most: int
    ) -> tuple[int, bytes]:
        try:
            with closing(self._line(self._host, self._port, timeout=self._timeout)) as line:
                line.request(method, self._path + path, body, headers)
                answer = line.getresponse()
                return answer.status, self._body(answer, most) if answer.status == 200 else b""
        except (OSError, http.client.HTTPException) as fault:
            raise Unreachable(f"{path}: {type(fault).__name__}") from fault

    def _body(self, answer: http.client.HTTPResponse, most: int = MAX_ANSWER_BYTES) -> bytes:
        deadline, body = monotonic() + self._timeout, bytearray()
        while part := answer.read1(65536):
            body += part
            if len(body) > most or monotonic() > deadline:
                raise Unreachable("the answer is too large or too slow")
        return bytes(body)
