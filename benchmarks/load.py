"""The load generator: keep-alive sockets, each sending its next request when its answer is complete.

It is bounded in time, and uses only the loopback address. Each process has a few sockets and one loop with
``selectors``: cheap enough that the server is measured, and not the client.
"""

from __future__ import annotations

import json
import multiprocessing
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

_FORK = multiprocessing.get_context("fork")
_PATIENCE = 30.0
_TRIES = 1000


@dataclass(slots=True)
class Measured:
    """The results: a duration per answer, the statuses, and the number of answers in a time; in seconds.

    The rate counts only answers that arrive while requests are still being sent. Pending requests are then
    awaited, but not counted: a few slow requests in several workers' queues would measure the longest queue.
    Counting begins when the load has settled, so that as many requests are pending at the beginning as at the
    end.
    """

    latencies: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    timely: int = 0
    span: float = 0.0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.timely / self.span if self.span else 0.0

    def note_time(self, now: float, begins: float, ends: float) -> None:
        """Return True if an answer counts for the rate. At least one does, so that a short run has a rate."""
        if begins <= now <= ends or (now > ends and not self.timely):
            self.timely += 1
            self.span = max(now, ends) - begins

    def add(self, other: Measured) -> None:
        """Add another process's results; both ran at the same time."""
        self.latencies += other.latencies
        for status, count in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        self.timely += other.timely
        self.span = max(self.span, other.span)

    def require_only(self, status: int) -> None:
        """A benchmark of errors is worth nothing."""
        if set(self.statuses) != {status}:
            raise RuntimeError(f"expected only {status}, got {self.statuses}")

    def percentile(self, share: float) -> float:
        """Return the latency below which ``share`` of all answers were."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


@dataclass(frozen=True, slots=True)
class Spread:
    """Gives every worker the same number of connections.

    It has the number of workers, and a request whose answer names the worker. By chance one worker may get
    nearly all connections, and the rate of a turn may be half that of the next.
    """

    workers: int
    probe: bytes


@dataclass(frozen=True, slots=True)
class Pace:
    """The pause between an answer and the next request, and the time before counting begins; in seconds.

    It also has how the connections are spread over the workers, if not by chance.
    """

    pause: float = 0.0
    settling: float = 0.0
    spread: Spread | None = None


STEADY = Pace()


class Requests(Protocol):
    """The next request of a connection; ``following`` may use the last answer."""

    def following(self, _body: bytes) -> bytes:
        """The next request, whole."""
        ...


class Rotation(Requests):
    """The same few requests, over and over."""

    def __init__(self, requests: Sequence[bytes]) -> None:
        self._requests = requests
        self._next = 0

    def following(self, _body: bytes) -> bytes:
        request = self._requests[self._next % len(self._requests)]
        self._next += 1
        return request


class Refreshing(Requests):
    """One session that exchanges each refresh token it gets for the next."""

    def __init__(self, token: str) -> None:
        self._token = token

    def following(self, body: bytes) -> bytes:
        if body:
            self._token = json.loads(body)["refresh_token"]
        return post("/v1/auth/refresh", {"refresh_token": self._token})


def get(path: str, token: str = "") -> bytes:
    """A GET, with a bearer token if given."""
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n{bearer}\r\n".encode()


def post(path: str, body: dict[str, Any]) -> bytes:
    """A POST of JSON."""
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
        f"application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def run(
    port: int,
    connections: Sequence[Requests],
    seconds: float,
    *,
    processes: int = 2,
    pace: Pace = STEADY,
) -> Measured:
    """Let all connections send for ``seconds``."""
    return begin(port, connections, seconds, processes=processes, pace=pace)()


def begin(
    port: int,
    connections: Sequence[Requests],
    seconds: float,
    *,
    processes: int = 2,
    pace: Pace = STEADY,
) -> Callable[[], Measured]:
    """Do the same in the background, and return a function that waits for the end."""
    shares = [connections[number::processes] for number in range(processes)]
    running = [_start(_Client(port, share, seconds, pace)) for share in shares if share]

    def finish() -> Measured:
        total = Measured()
        for pipe, process in running:
            answer = (
                pipe.recv()
                if pipe.poll(pace.settling + seconds + _PATIENCE)
                else RuntimeError("a client hangs")
            )
            process.join(timeout=5)
            if isinstance(answer, Exception):
                process.kill()
                raise answer
            total.add(answer)
        return total

    return finish


def _start(client: _Client) -> tuple[Any, Any]:
    receiver, sender = _FORK.Pipe(duplex=False)
    process = _FORK.Process(target=_report, args=(client, sender), daemon=True)
    process.start()
    sender.close()
    return receiver, process


def _report(client: _Client, sender: Any) -> None:
    try:
        sender.send(client.run())
    except Exception as fault:  # noqa: BLE001 -- sent to the parent, which raises it
        sender.send(RuntimeError(f"{type(fault).__name__}: {fault}"))


@dataclass(slots=True)
class _Timeline:
    """One connection, and the answer for which it waits."""

    requests: Requests
    socket: socket.socket
    sent: float = 0.0
    due: float = 0.0
    received: bytearray = field(default_factory=bytearray)
    body: bytes = b""


@dataclass(slots=True)
class _Client:
    port: int
    connections: Sequence[Requests]
    seconds: float
    pace: Pace
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def run(self) -> Measured:
        """Send until the time is over, then wait for the pending answers."""
        found = Measured()
        idle = self._connect_all()
        for line in idle:
            self.selector.register(line.socket, selectors.EVENT_READ, line)
        begins = time.perf_counter() + self.pace.settling
        ends, under_way = begins + self.seconds, 0
        while under_way or time.perf_counter() < ends:
            under_way += self._send(idle, ends)
            for key, _events in self.selector.select(self._patience(idle, under_way)):
                if self._receive(key.data, found):
                    found.note_time(time.perf_counter(), begins, ends)
                    under_way -= 1
                    idle.append(key.data)
            if under_way and time.perf_counter() > ends + _PATIENCE:
                raise RuntimeError("no answer")
        self._hang_up(idle)
        return found

    def _connect_all(self) -> list[_Timeline]:
        spread = self.pace.spread
        if spread is None:
            return [self._connect(requests) for requests in self.connections]
        shares: dict[bytes, list[_Timeline]] = {}
        share = -(-len(self.connections) // spread.workers)
        for _ in range(_TRIES):
            line = self._connect(self.connections[sum(map(len, shares.values()))])
            lines = shares.setdefault(self._answer(line, spread.probe), [])
            if len(lines) == share:
                line.socket.close()
                continue
            lines.append(line)
            if sum(map(len, shares.values())) == len(self.connections):
                return [line for lines in shares.values() for line in lines]
        raise RuntimeError("some workers take no connection")

    def _answer(self, line: _Timeline, request: bytes) -> bytes:
        line.socket.sendall(request)
        answer = Measured()
        while not self._receive(line, answer):
            pass
        answer.require_only(200)
        return line.body

    def _connect(self, requests: Requests) -> _Timeline:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _Timeline(requests, connection)

    def _send(self, idle: list[_Timeline], ends: float) -> int:
        now, sent = time.perf_counter(), 0
        if now >= ends:
            self._hang_up(idle)
        for line in [line for line in idle if line.due <= now]:
            idle.remove(line)
            request = line.requests.following(line.body)
            line.sent = time.perf_counter()
            line.socket.sendall(request)
            sent += 1
        return sent

    def _hang_up(self, idle: list[_Timeline]) -> None:
        for line in idle:
            self.selector.unregister(line.socket)
            line.socket.close()
        idle.clear()

    def _patience(self, idle: list[_Timeline], under_way: int) -> float:
        if idle:
            return max(0.0, min(line.due for line in idle) - time.perf_counter())
        return 1.0 if under_way else 0.0

    def _receive(self, line: _Timeline, found: Measured) -> bool:
        piece = line.socket.recv(65536)
        if not piece:
            raise RuntimeError("the server closed the connection")
        line.received += piece
        head = line.received.find(b"\r\n\r\n")
        if head < 0 or len(line.received) < head + 4 + _content_length(line.received, head):
            return False
        now = time.perf_counter()
        status = int(line.received[9:12])
        line.body = bytes(line.received[head + 4 :])
        line.received.clear()
        line.due = now + self.pace.pause
        found.latencies.append(now - line.sent)
        found.statuses[status] = found.statuses.get(status, 0) + 1
        return True


def _content_length(received: bytearray, head: int) -> int:
    at = received.find(b"ontent-Length: ", 0, head)
    return int(received[at + 15 : received.find(b"\r\n", at)]) if at >= 0 else 0
