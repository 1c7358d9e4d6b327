"""bcrypt with somebody looking over its shoulder: which costs are computed, and how many database connections are out meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import bcrypt
import pytest

from rbac_api.guard import hashing
from rbac_api.guard.hashing import Hasher
from tests.builders import Stage
from tests.patience import connections_held


class Spy:
    """Stands where the library stands, computes what it computes, and takes notes.  Only hashes it could compute are noted."""

    gensalt = staticmethod(bcrypt.gensalt)

    def __init__(self, connections_out: Callable[[], int]) -> None:
        self.connections_out = connections_out
        self.costs: list[int] = []
        self.connections: list[int] = []
        self.before: Callable[[], Any] = lambda: None

    def checkpw(self, password: bytes, known: bytes) -> bool:
        self.before()
        fits = bcrypt.checkpw(password, known)
        self._note(known)
        return fits

    def hashpw(self, password: bytes, salt: bytes) -> bytes:
        self.before()
        self._note(salt)
        return bcrypt.hashpw(password, salt)

    def _note(self, known: bytes) -> None:
        self.costs.append(int(known.split(b"$")[2]))
        self.connections.append(self.connections_out())

    def during(self, action: Callable[[], Any]) -> list[int]:
        """The costs computed while ``action`` runs."""
        already = len(self.costs)
        action()
        return self.costs[already:]


def watch(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Spy:
    """Put a spy in the library's place."""
    spy = Spy(lambda: connections_held(stage.database))
    monkeypatch.setattr(hashing, "bcrypt", spy)
    return spy


@contextmanager
def own_hasher(stage: Stage, **changes: Any) -> Iterator[Hasher]:
    """The application with a hasher of other settings."""
    usual = stage.guard.runtime
    hasher = Hasher(replace(stage.settings, **changes))
    stage.guard.runtime = replace(usual, hasher=hasher)
    try:
        yield hasher
    finally:
        stage.guard.runtime = usual
        hasher.close()


def hashed(stage: Stage, password: str, *, cost: int | None = None) -> str:
    """A hash as the service would store it."""
    hasher = Hasher(replace(stage.settings, password_cost=cost or stage.settings.password_cost))
    try:
        return hasher.hash(password)
    finally:
        hasher.close()


def store(stage: Stage, username: str, value: str | None) -> None:
    """Put a hash onto an account behind the service's back."""
    written = "NULL" if value is None else f"'{value}'"
    stage.execute(f"UPDATE users SET password_hash = {written} WHERE username_canonical = '{username}'")
