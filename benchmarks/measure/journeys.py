"""Counts at run time the files, functions and SQL statements that three requests go through."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from sqlalchemy import event

import rbac_api
from benchmarks.server import ROUTE, tiny
from rbac_api import requires
from tests.builders import Caller, Stage, raise_curtain
from tests.cast import ALICE, BOB, DAVE

PACKAGE = os.path.dirname(rbac_api.__file__) + os.sep  # noqa: PTH120 - compared with the names that code objects carry
Request = Callable[[], Any]


@dataclass(slots=True)
class Journey:
    """The trace of one request: each function entered, in order, and each SQL statement."""

    name: str
    entered: list[CodeType] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)

    @property
    def files(self) -> int:
        return len({code.co_filename for code in self.entered})

    @property
    def functions(self) -> int:
        return len(set(self.entered))

    @property
    def changes_of_file(self) -> int:
        """How often an entered function is in another file than the one before it."""
        names = [code.co_filename for code in self.entered]
        return sum(one != other for one, other in pairwise(names))


def measure_journeys(database_url: str, folder: Path) -> list[Journey]:
    """Trace a guarded route, an assignment and a refresh on an empty database, each after a warm-up."""
    stage = raise_curtain(
        "sqlite" if database_url.startswith("sqlite") else "postgresql", database_url, folder
    )
    stage.app.add_url_rule(ROUTE, view_func=requires("roles:read")(tiny))
    try:
        return [_traced(stage, name, requests) for name, requests in _requests(stage).items()]
    finally:
        stage.close()


def _requests(stage: Stage) -> dict[str, Callable[[], Iterator[Request]]]:
    """Return the requests for each name, the first for warming up.

    Most are repeated: a late heartbeat of PostgreSQL makes one request read, and the first refresh of a
    second records the use of the key.
    """
    admin, refreshing = stage.as_(ALICE), stage.as_(BOB)
    roles = f"/v1/users/{stage.user_id(DAVE)}/roles"
    return {
        "guarded route, nothing changed": lambda: (_send(admin, "GET", ROUTE) for _ in "12345"),
        "`PUT /v1/users/{id}/roles/{role}`": lambda: (
            _send(admin, "PUT", f"{roles}/{role}") for role in ("role-manager", "auditor", "admin")
        ),
        "refresh": lambda: (_refresh(refreshing) for _ in range(12)),
    }


def _send(caller: Caller, method: str, path: str) -> Request:
    return lambda: caller.client.open(path, method=method, headers=caller.headers)


def _refresh(caller: Caller) -> Request:
    """Exchange the caller's tokens, so that the next request has a new refresh token."""

    def exchange() -> Any:
        answer = caller.client.post(
            "/v1/auth/refresh", json={"refresh_token": caller.tokens["refresh_token"]}
        )
        caller.tokens = answer.json or {}
        return answer

    return exchange


def _traced(stage: Stage, name: str, requests: Callable[[], Iterator[Request]]) -> Journey:
    warm, *traced = requests()
    _succeed(warm())
    stage.as_(ALICE).get("/v1/me")  # reads what the previous request has changed
    return min((_trace(stage, name, one) for one in traced), key=lambda journey: len(journey.statements))


def _trace(stage: Stage, name: str, request: Request) -> Journey:
    journey = Journey(name)
    with _statements(stage, journey), _functions(journey):
        answer = request()
    _succeed(answer)
    return journey


def _succeed(answer: Any) -> None:
    if answer.status_code >= 300:
        raise RuntimeError(
            f"{answer.request.method} {answer.request.path}: {answer.status_code} {answer.text}"
        )


@contextmanager
def _functions(journey: Journey) -> Iterator[None]:
    """Record each function of the service that this thread enters.

    Comprehensions and lambdas count as the function around them.
    """

    def note(frame: FrameType, kind: str, _: object) -> None:
        code = frame.f_code
        if kind == "call" and code.co_filename.startswith(PACKAGE) and not code.co_name.startswith("<"):
            journey.entered.append(code)

    sys.setprofile(note)
    try:
        yield
    finally:
        sys.setprofile(None)


@contextmanager
def _statements(stage: Stage, journey: Journey) -> Iterator[None]:
    """Record each statement that this thread sends on any connection; other threads follow the trail."""
    own = threading.get_ident()

    def note(_: object, __: object, statement: str, *___: object) -> None:
        if threading.get_ident() == own:
            journey.statements.append(statement)

    engine = stage.database.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", note)
