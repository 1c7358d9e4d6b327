"""Clients that sign in, refresh, create, delete, assign, revoke, and note in the ledger what they were told."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from tests.cast import PASSWORD
from tests.faults.calls import Answer, Line, call
from tests.faults.ledger import Ledger
from tests.faults.minting import ROLE, Mint, Pass
from tests.servers.service import Service

CUT_OFF = (OSError, HTTPException)  # the connection broke: whether the request was done is not known
WEIGHTS = {
    "create": 20,
    "delete": 8,
    "assign": 15,
    "unassign": 10,
    "refresh": 25,
    "revoke": 15,
    "read": 10,
    "login": 8,
}


class Refused(AssertionError):
    """An answer that no fault may cause."""


@dataclass
class Client:
    """One of several at once; its people and sessions are its own, so what it knows of them is exact."""

    name: str
    node: Service
    ledger: Ledger
    admin: str
    passes: list[Pass]
    refreshing: Pass
    statuses: Counter[int] = field(default_factory=Counter)
    cut: list[str] = field(default_factory=list)
    generation: int = 1
    people: dict[str, str] = field(default_factory=dict)  # names and ids of those that exist for certain
    held: set[str] = field(default_factory=set)
    revoked: list[Pass] = field(default_factory=list)
    line: Line | None = None
    sent_away: bool = False  # the last answer said that the connection closes
    unanswered: bool = False  # the last refresh: the same token is good for a minute, and may be spent

    def __post_init__(self) -> None:
        self.dice = random.Random(self.name)
        self.refresh_token = self.refreshing.refresh
        self.ledger.begin(("generation", self.refreshing.session_id), "1")
        for one in self.passes:
            self.ledger.begin(("session", one.session_id), "active")

    def burst(self, stop: threading.Event) -> None:
        """Go on until told to stop, or until the connection breaks."""
        with self.connected():
            if self.unanswered:
                self.refresh()
            while not stop.is_set() and not self.sent_away:
                self.step()

    @contextmanager
    def connected(self) -> Iterator[None]:
        """With a connection of its own; one that breaks ends the block, and is noted."""
        self.line, self.sent_away = self.node.connect(), False
        try:
            yield
        except CUT_OFF as fault:
            self.cut.append(repr(fault))
        finally:
            self.line.close()

    def step(self) -> None:
        """One operation, drawn by lot."""
        kind = self.dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        getattr(self, kind)()

    def create(self) -> None:
        name = f"{self.name}-{self.dice.getrandbits(40):x}"
        with self.ledger.change(("user", name), "active") as acknowledge:
            answer = self._ask("POST", "/v1/users", self.admin, {"username": name})
            if answer.status == 201:
                acknowledge()
                self.people[name] = answer.json["id"]

    def delete(self) -> None:
        if len(self.people) < 2:
            return
        name, user_id = self._take_person()
        seen = self._ask("GET", f"/v1/users/{user_id}", self.admin)
        if seen.status != 200 or self.sent_away:
            return
        with self.ledger.change(("user", name), "deleted") as acknowledge:
            if self.ledger.known.get(("assignment", name, ROLE)):
                self.ledger.known["assignment", name, ROLE].add("ended")
            answer = self._ask("DELETE", f"/v1/users/{user_id}", self.admin, If_Match=seen.headers["ETag"])
            if answer.status == 204:
                acknowledge()

    def assign(self) -> None:
        name = self.dice.choice([*self.people] or [""])
        if not name:
            return
        with self.ledger.change(("assignment", name, ROLE), "held") as acknowledge:
            if self._ask("PUT", f"/v1/users/{self.people[name]}/roles/{ROLE}", self.admin).status in (
                200,
                201,
            ):
                acknowledge()
                self.held.add(name)

    def unassign(self) -> None:
        name = next(iter(self.held & self.people.keys()), None)
        if name is None:
            return
        self.held.discard(name)
        with self.ledger.change(("assignment", name, ROLE), "ended") as acknowledge:
            if self._ask("DELETE", f"/v1/users/{self.people[name]}/roles/{ROLE}", self.admin).status == 204:
                acknowledge()

    def refresh(self) -> None:
        """Until it is answered, the same token again: whatever happened to the first attempt, it must be good."""
        thing, following = ("generation", self.refreshing.session_id), str(self.generation + 1)
        self.unanswered = True
        with self.ledger.change(thing, following) as acknowledge:
            answer = self._ask("POST", "/v1/auth/refresh", self.refresh_token)
            if answer.status == 200:
                acknowledge()
                self.refresh_token, self.generation = answer.json["refresh_token"], self.generation + 1
                self.unanswered = False

    def revoke(self) -> None:
        if not self.passes:
            return
        victim = self.passes.pop()
        with self.ledger.change(("session", victim.session_id), "ended") as acknowledge:
            if self._ask("DELETE", f"/v1/sessions/{victim.session_id}", self.admin).status == 204:
                acknowledge()
                self.revoked.append(victim)

    def login(self) -> None:
        body = {"username": "admin", "password": PASSWORD}
        answer = self._ask("POST", "/v1/auth/login", None, body)
        if answer.status == 200:
            with self.ledger.change(("session", answer.json["session_id"]), "active") as acknowledge:
                acknowledge()

    def read(self) -> None:
        self._ask("GET", "/v1/sessions?limit=5", self.admin)

    def accepted_after_all(self) -> list[str]:
        """The sessions whose end was acknowledged and that are served nevertheless."""
        with self.connected():
            assert self.line is not None
            latest = self.revoked[-3:]
            return [
                one.session_id for one in latest if call(self.line, "GET", "/v1/me", one.access).status != 401
            ]
        return ["no connection"]

    def _take_person(self) -> tuple[str, str]:
        name = self.dice.choice([*self.people])
        self.held.discard(name)
        return name, self.people.pop(name)

    def _ask(self, method: str, path: str, token: str | None, body: Any = None, **headers: str) -> Answer:
        assert self.line is not None
        answer = call(self.line, method, path, token, body, **headers)
        self.statuses[answer.status] += 1
        self.sent_away = answer.headers["Connection"] == "close"
        if answer.status not in (200, 201, 204, 503):
            raise Refused(f"{method} {path}: {answer.status} {answer.body.decode()}")
        return answer


def crowd(node: Service, mint: Mint, ledger: Ledger, number: int = 4) -> list[Client]:
    """So many clients, each with an administrator's session, two hundred sessions to revoke and one to refresh."""
    mint.people(["crowd"])
    admins, crowd = mint.user_id("admin"), mint.user_id("crowd")
    found = []
    for index in range(number):
        admin, refreshing, *passes = mint.passes([admins, *[crowd] * 201])
        found.append(Client(f"client{index}", node, ledger, admin.access, passes, refreshing))
    return found


def burst(clients: list[Client], disturb: Callable[[], Any]) -> Any:
    """All of them at once while something happens; what that returned.  Raises what no fault may cause."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(clients)) as pool:
        running = [pool.submit(client.burst, stop) for client in clients]
        try:
            return disturb()
        finally:
            stop.set()
            for one in running:
                one.result()
