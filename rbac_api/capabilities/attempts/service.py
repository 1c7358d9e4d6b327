"""Counts failed proofs, refuses further ones for a time, and lifts that."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.attempts import queries
from rbac_api.capabilities.attempts.errors import AccountLocked
from rbac_api.capabilities.attempts.queries import clearing
from rbac_api.decision.names import canonical
from rbac_api.guard.incidents.detection import open_lockout_incident
from rbac_api.sealing import keyed_hash
from rbac_api.settings import Settings
from rbac_api.trail.outbox import parameters
from rbac_api.trail.recorder import Actor, Target, record, unavailable_if_unwritten

__all__ = [
    "AccountLocked", "Failures", "blocking", "clear_failures", "clear_old_failures", "clearing",
    "count_failure", "count_failure_without_lock", "failures_of", "list_blocks", "name_digest",
    "require_unlocked",
]  # fmt: skip
MAX_DELAY_SECONDS = 60
FORGET_FAILURES = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Failures:
    """How often in a row a proof of an account failed, and until when no other is checked."""

    count: int = 0
    blocked_until: datetime | None = None

    @property
    def blocked(self) -> bool:
        """Whether a proof fails now, whatever it is."""
        return self.blocked_until is not None and clock.now() < self.blocked_until


def name_digest(settings: Settings, username: str) -> str:
    """The key for counting a name's failures: what people type into the wrong box is not stored in clear."""
    return keyed_hash(settings.secret_key, "signin-name", canonical(username))


def failures_of(connection: Connection, settings: Settings, username: str) -> Failures:
    """The failures of an account, by its name."""
    row = queries.find_attempts(connection, name_digest(settings, username))
    return Failures() if row is None else Failures(row.failures, row.blocked_until)


def list_blocks(connection: Connection, settings: Settings, usernames: Iterable[str]) -> dict[str, datetime]:
    """Until when proofs of these accounts are refused; unblocked ones are left out. One statement, and a
    second one only while more accounts are blocked than here."""
    now, names = clock.now(), list(usernames)
    found = queries.list_all_blocks(connection, now, len(names))
    if not found:
        return {}
    digests = {name_digest(settings, name): name for name in names}
    if len(found) > len(names):
        found = queries.list_blocks(connection, list(digests), now)
    return {digests[digest]: until for digest, until in found.items() if digest in digests}


def require_unlocked(connection: Connection, settings: Settings, username: str) -> None:
    """429 ``account.locked`` while proofs of a signed-in user's account are refused."""
    until = failures_of(connection, settings, username).blocked_until
    if until is not None and (left := (until - clock.now()).total_seconds()) > 0:
        raise AccountLocked(retry_after=math.ceil(left))


def count_failure(
    connection: Connection, settings: Settings, actor: Actor, username: str, target: Target
) -> None:
    """Count a failed proof of an account, delay or lock it, and report the lock. ``target`` is the account,
    if there is one."""
    now, digest = clock.now(), name_digest(settings, username)
    failures = queries.count_failure(connection, digest, now)
    seconds = blocking(settings, failures)
    if seconds:
        queries.block(connection, digest, now + timedelta(seconds=seconds))
    if failures >= settings.signin_lock_failures:
        facts = {"failures": failures, "seconds": seconds}
        reason = "too many failures"
        record(connection, actor, "signin.locked", target, outcome="failure", reason=reason, after=facts)
        if target.id is not None:  # a name without an account is counted too, but needs no attention
            open_lockout_incident(connection, actor, target)


def count_failure_without_lock(
    connection: Connection, settings: Settings, username: str, seen: int, event: dict[str, Any]
) -> bool:
    """The same without the write lock, with the event of the failure (PostgreSQL).

    False, and nothing changed, if this failure locks the account, or the count is not ``seen`` any more.
    """
    now, failures = clock.now(), seen + 1
    if failures >= settings.signin_lock_failures:
        return False
    seconds = blocking(settings, failures)
    values = {
        "digest": name_digest(settings, username), "seen": seen, "failures": failures, "last_failed_at": now,
        "blocked_until": now + timedelta(seconds=seconds) if seconds else None, **parameters(event),
    }  # fmt: skip
    with unavailable_if_unwritten():
        return queries.count_failure_without_lock(connection, values)


def clear_old_failures(connection: Connection) -> int:
    """Forget counts that did not grow for a day; returns how many."""
    return queries.clear_old_failures(connection, clock.now() - FORGET_FAILURES)


def clear_failures(connection: Connection, settings: Settings, username: str) -> bool:
    """Lift the delay or lock of an account; returns whether anything was counted."""
    return queries.clear_failures(connection, name_digest(settings, username))


def blocking(settings: Settings, failures: int) -> int:
    """Seconds for which an account is blocked after so many failures in a row: none, then 1, 2, 4 …, then the
    limited lock."""
    if failures >= settings.signin_lock_failures:
        return settings.signin_lock_seconds
    if failures < settings.signin_free_failures:
        return 0
    return min(MAX_DELAY_SECONDS, 1 << (failures - settings.signin_free_failures))
