"""Speaking HTTP to a running node: one call, and connections pinned to the worker that accepted them."""

from __future__ import annotations

import http.client
import json
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.service import Service

Line = http.client.HTTPConnection


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(
    line: Line, method: str, path: str, token: str | None = None, body: Any = None, **headers: str
) -> None:
    """Send a request and do not wait for the answer."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        given["Authorization"] = f"Bearer {token}"
    if body is not None:
        given["Content-Type"] = "application/json"
    line.request(method, path, json.dumps(body) if body is not None else None, given)


def hear(line: Line) -> Answer:
    """The answer to what was asked on this connection."""
    answer = line.getresponse()
    return Answer(answer.status, answer.headers, answer.read())


def call(
    line: Line, method: str, path: str, token: str | None = None, body: Any = None, **headers: str
) -> Answer:
    """Ask and hear."""
    ask(line, method, path, token, body, **headers)
    return hear(line)


def once(service: Service, method: str, path: str, token: str | None = None, body: Any = None) -> Answer:
    """One call on a connection of its own."""
    with closing(service.connect()) as line:
        return call(line, method, path, token, body)


def doors(service: Service, each: int) -> list[list[Line]]:
    """For every worker of a service, so many open connections that this worker, and no other, answers."""
    found: dict[int, list[Line]] = defaultdict(list)
    spare: list[Line] = []
    while len(found) < len(service.workers) or min(map(len, found.values())) < each:
        line = service.connect()
        assert call(line, "GET", "/healthz").status == 200
        lines = found[_worker_of(service, line)]
        (lines if len(lines) < each else spare).append(line)
    for line in spare:
        line.close()
    return list(found.values())


def _worker_of(service: Service, line: Line) -> int:
    """The worker that holds the other end of a connection: the system knows whose file each socket is."""
    mine: int = line.sock.getsockname()[1]
    ends = f"0100007F:{service.port:04X} 0100007F:{mine:04X} "
    entry = next(row for row in Path("/proc/net/tcp").read_text().splitlines() if ends in row)
    socket = f"socket:[{entry.split()[9]}]"
    return next(pid for pid in service.workers if socket in _files(pid))


def _files(pid: int) -> set[str]:
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.add(str(link.readlink()))
        except FileNotFoundError:
            continue  # closed meanwhile
    return found
