"""The clients of ``endurance``: users, an administrator and an auditor, each a thread with one session."""

from __future__ import annotations

import http.client
import itertools
import random
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.server import ROUTE
from benchmarks.stage import PASSWORD, ROLE
from tests.faults.calls import Answer, call

ASSIGNED, GRANTED = "auditor", "permissions:read"
PATIENCE = 60.0  # seconds for which an answer is awaited
OLD = 30.0  # seconds after which a token is exchanged, before it expires
DONE = (200, 201, 204)
READS = (
    "/v1/users?limit=50&q=bench",
    "/v1/sessions?limit=50",
    "/v1/assignments?limit=50",
    "/v1/audit/events?limit=50",
    "/v1/audit/checkpoint",
    "/v1/role-graph",
    "/.well-known/revocations",
    "/metrics",
)


class SignedOut(Exception):
    """The session of this client is over."""


@dataclass
class Tally:
    """What all clients saw."""

    answers: int = 0
    unexpected: list[str] = field(default_factory=list)
    acknowledged: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, fault: str = "") -> None:
        """Count an answer; ``fault`` says why it was not expected."""
        with self._lock:
            self.answers += 1
            self.unexpected += [fault] if fault else []

    def acknowledge(self, what: str) -> None:
        """Count a change that was answered."""
        with self._lock:
            self.acknowledged[what] += 1


@dataclass
class Account:
    """A user, and how often an administrator has ended all its sessions, which delays its next sign-in."""

    username: str
    ended: int = 0
    signing_in: threading.Lock = field(default_factory=threading.Lock)


class Actor(ABC):
    """Signs in, and does one thing after another, each request at the next node."""

    def __init__(self, account: Account, ports: Sequence[int], tally: Tally, pause: float) -> None:
        self.account, self.tally, self.pause = account, tally, pause
        self.dice = random.Random(account.username)
        lines = [http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE) for port in ports]
        self._lines, self._next = lines, itertools.cycle(lines)
        self._tokens: dict[str, str] = {}
        self._ended, self._issued = 0, 0.0

    def act(self, stop: threading.Event) -> None:
        """Go on until stopped. What is not expected is counted, and a new session is begun after it."""
        stop.wait(self.dice.uniform(0, self.pause))  # not all at once
        while not stop.is_set():
            try:
                if not self._tokens:
                    self.sign_in()
                elif time.monotonic() - self._issued > OLD:
                    self.refresh()
                self.step()
            except SignedOut:
                self._tokens = {}
            except (OSError, http.client.HTTPException) as fault:
                self.tally.note(f"{self.account.username}: {fault!r}")
                self._tokens = {}
            stop.wait(self.pause)
        for line in self._lines:
            line.close()

    @abstractmethod
    def step(self) -> None:
        """Do one thing."""

    def sign_in(self) -> None:
        """Begin a session."""
        body = {"username": self.account.username, "password": PASSWORD}
        with self.account.signing_in:
            self._ended = self.account.ended
            self._keep(self.ask("POST", "/v1/auth/login", body), "sign-ins")

    def refresh(self) -> None:
        """Exchange the refresh token."""
        body = {"refresh_token": self._tokens["refresh_token"]}
        self._keep(self.ask("POST", "/v1/auth/refresh", body), "refreshes")

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Return an answer that reports success."""
        answer = self._send(method, path, body, **headers)
        over = answer.status == 401 and self._ended != self.account.ended
        good = over or answer.status in DONE
        self.tally.note("" if good else f"{method} {path}: {answer.status} {answer.body.decode()[:200]}")
        if answer.status not in DONE:
            raise SignedOut
        return answer

    def _keep(self, answer: Answer, what: str) -> None:
        self._tokens, self._issued = answer.json, time.monotonic()
        self.tally.acknowledge(what)

    def _send(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        return call(next(self._next), method, path, self._tokens.get("access_token"), body, **headers)


class Client(Actor):
    """A user."""

    def step(self) -> None:
        """Read, refresh, or sign out."""
        chosen = self.dice.choices((self.read, self.use, self.refresh, self.sign_out), (50, 25, 20, 5))[0]
        chosen()

    def read(self) -> None:
        """Read its own account."""
        self.ask("GET", "/v1/me")

    def use(self) -> None:
        """Call a route that needs a permission."""
        self.ask("GET", ROUTE)

    def sign_out(self) -> None:
        """End the session. The next node must refuse it from now on."""
        self.ask("POST", "/v1/auth/logout")
        answer = self._send("GET", "/v1/me")
        self.tally.note("" if answer.status == 401 else f"a session that was ended got {answer.status}")
        self._tokens = {}


class Administrator(Actor):
    """Changes the users in ``others``."""

    others: Sequence[Account] = ()

    def step(self) -> None:
        """Do one of the tasks of an administrator, with one of the users."""
        account = self.dice.choice(self.others)
        tasks = (self.assign, self.change_role, self.end_sessions, self.disable)
        self.dice.choices(tasks, (60, 20, 10, 10))[0](account, f"/v1/users/{account.username}")
        self.refresh()

    def assign(self, _account: Account, path: str) -> None:
        """Assign a role and revoke it."""
        self.ask("PUT", f"{path}/roles/{ASSIGNED}")
        self.ask("DELETE", f"{path}/roles/{ASSIGNED}")

    def change_role(self, _account: Account, _path: str) -> None:
        """Grant a permission to the role of all users and withdraw it."""
        path = f"/v1/roles/{ROLE}/permissions/{GRANTED}"
        self.ask("PUT", path)
        self.ask("DELETE", path)

    def end_sessions(self, account: Account, path: str) -> None:
        """End all sessions of the user."""
        with account.signing_in:
            account.ended += 1
            self.ask("DELETE", f"{path}/sessions")

    def disable(self, account: Account, path: str) -> None:
        """Disable the user, and allow it again."""
        with account.signing_in:
            account.ended += 1
            for status in ("disabled", "active"):
                tag = self.ask("GET", path).headers["ETag"]
                self.ask("PATCH", path, {"status": status}, If_Match=tag)


class Auditor(Actor):
    """Reads lists and the audit trail."""

    def step(self) -> None:
        """Read one of them, or refresh."""
        if self.dice.random() < 0.1:
            self.refresh()
        else:
            self.ask("GET", self.dice.choice(READS))
