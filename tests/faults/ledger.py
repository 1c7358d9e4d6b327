"""What clients were told, kept outside the service, and what the database says: the two must agree after any fault.

The ledger knows, for each thing, the states it may be in: one when the last change was acknowledged, two while an
answer is outstanding (or never came). `settle` compares, and takes what it found for known from then on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, text

from rbac_api.capabilities.audit.service import verify_trail
from rbac_api.database.engine import Database

PATIENCE = 60.0  # seconds
Thing = tuple[str, ...]  # what kind of thing, and which
STATES = {
    "user": "SELECT username, status FROM users",
    "assignment": """
        SELECT u.username, r.name, CASE WHEN COUNT(*) > COUNT(a.valid_to) THEN 'held' ELSE 'ended' END
        FROM assignments a JOIN users u ON u.id = a.user_id JOIN roles r ON r.id = a.role_id GROUP BY u.username, r.name""",
    "session": "SELECT CAST(id AS TEXT), CASE WHEN ended_at IS NULL THEN 'active' ELSE 'ended' END FROM sessions",
    "generation": "SELECT CAST(id AS TEXT), CAST(generation AS TEXT) FROM sessions",
}
# The changes that are there, and the action by which the trail tells of each: neither may have one more than the other.
TOLD = {
    "user.created": "SELECT CAST(id AS TEXT) FROM users",
    "user.deleted": "SELECT CAST(id AS TEXT) FROM users WHERE status = 'deleted'",
    "assignment.created": "SELECT CAST(user_id AS TEXT) FROM assignments",
    "assignment.ended": """
        SELECT CAST(a.user_id AS TEXT) FROM assignments a JOIN users u ON u.id = a.user_id
        WHERE a.valid_to IS NOT NULL AND (u.deleted_at IS NULL OR a.valid_to < u.deleted_at)""",
    "signin.succeeded": "SELECT CAST(id AS TEXT) FROM sessions",
    "session.ended": "SELECT CAST(id AS TEXT) FROM sessions WHERE end_reason = 'admin'",
    "token.rotated": "SELECT CAST(session_id AS TEXT) FROM refresh_tokens WHERE generation > 1",
}


class Ledger:
    """Shared by all clients of one test."""

    def __init__(self) -> None:
        self.known: dict[Thing, set[str]] = {}
        self.acknowledged = 0
        self._lock = threading.Lock()

    def begin(self, thing: Thing, state: str) -> None:
        """Something that is there before the first change."""
        self.known[thing] = {state}

    @contextmanager
    def change(self, thing: Thing, new: str) -> Iterator[Callable[[], None]]:
        """Around a request that changes something: until the block calls what it is given, either state is possible."""
        with self._lock:
            self.known[thing] = {*self.known.get(thing, {"absent"}), new}

        def acknowledge() -> None:
            with self._lock:
                self.known[thing] = {new}
                self.acknowledged += 1

        yield acknowledge

    def await_more(self, number: int) -> None:
        """Return when so many more changes have been acknowledged, or when that plainly is not going to happen."""
        enough, deadline = self.acknowledged + number, time.monotonic() + PATIENCE
        while self.acknowledged < enough and time.monotonic() < deadline:
            time.sleep(0.001)

    def settle(self, database: Database) -> list[str]:
        """Everything about which clients and database disagree."""
        with database.reading() as connection:
            found = {kind: _states(connection, query) for kind, query in STATES.items()}
            wrong = [*_untold(connection), *_damage(connection)]
        with self._lock:
            for (kind, *which), possible in self.known.items():
                state = found[kind].get(tuple(which), "absent")
                if state not in possible:
                    wrong.append(f"{kind} {which} is {state}, must be {possible}")
                self.known[kind, *which] = {state}
        return wrong


def broken_chain(database: Database) -> str | None:
    """What is wrong with the trail's chain, if anything."""
    return verify_trail(database, {}).problem


def _states(connection: Connection, query: str) -> dict[tuple[str, ...], str]:
    rows = connection.execute(text(query)).all()
    return {tuple(_plain(part) for part in row[:-1]): row[-1] for row in rows}


def _untold(connection: Connection) -> Iterator[str]:
    # One that waits to be linked counts as one in the trail, so one that is in both counts twice.
    events = text(
        "SELECT target_id FROM trail_events WHERE action = :action"
        " UNION ALL SELECT target_id FROM trail_outbox WHERE action = :action"
    )
    for action, query in TOLD.items():
        changed = sorted(_plain(one) for one in connection.execute(text(query)).scalars())
        told = sorted(connection.execute(events, {"action": action}).scalars())
        if changed != told:
            yield f"{action}: {len(changed)} in the tables, {len(told)} in the trail"


def _damage(connection: Connection) -> Iterator[str]:
    if connection.dialect.name != "sqlite":
        return
    rows: list[Any] = connection.execute(text("PRAGMA integrity_check")).scalars().all()
    if rows != ["ok"]:
        yield f"integrity_check: {rows}"
    if broken := connection.execute(text("PRAGMA foreign_key_check")).all():
        yield f"foreign_key_check: {broken}"


def _plain(value: Any) -> str:
    """An id as it is in URLs, whichever way the engine keeps it."""
    shown = str(value)
    return (
        shown
        if "-" in shown or len(shown) != 32
        else f"{shown[:8]}-{shown[8:12]}-{shown[12:16]}-{shown[16:20]}-{shown[20:]}"
    )
