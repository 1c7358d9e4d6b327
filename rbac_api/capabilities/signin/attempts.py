"""Checks one sign-in attempt: what is known about the account, and what a failure costs. Part of the
service."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sqlalchemy import Connection

from rbac_api.capabilities.attempts.service import (
    Failures,
    count_failure,
    count_failure_without_lock,
    failures_of,
)
from rbac_api.capabilities.second_factor import service as second_factor
from rbac_api.capabilities.sessions.service import PASSWORD
from rbac_api.capabilities.signin import queries
from rbac_api.capabilities.signin.errors import LoginFailed, MfaRequired
from rbac_api.capabilities.signin.queries import SigninRow
from rbac_api.decision.names import canonical
from rbac_api.errors import Unauthenticated
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.enforcement.issuers import is_outgrown
from rbac_api.observability.metrics import SIGNINS
from rbac_api.trail.recorder import Actor, Event, Target, prepared_events, record, record_events
from rbac_api.trail.sequencer import record_alone

SECOND_FACTOR = (*PASSWORD, "otp")


@dataclass(frozen=True, slots=True)
class Account:
    """What is known about the name in an attempt; ``row`` is None for an unknown name."""

    row: SigninRow | None
    name: str
    failures: Failures
    second_factor: bool = False
    outgrown: bool = False  # its temporary password is known to a user who holds less than it

    @property
    def blocked(self) -> bool:
        """Whether the attempt fails, whatever was sent."""
        return self.failures.blocked

    @property
    def password_hash(self) -> str | None:
        """The hash to compare with; None (so that a dummy is compared) if the attempt cannot succeed
        anyway."""
        if self.row is None or self.row.status != "active" or self.blocked or self.outgrown:
            return None
        return self.row.password_hash

    @property
    def target(self) -> Target:
        """The account as the trail names it."""
        return Target("user", *self.row.named) if self.row is not None else Target("user")

    def failure(self) -> str:
        """Why an attempt failed, only for the trail."""
        if self.blocked:
            return "locked"
        if self.row is None or self.row.status == "deleted":
            return "unknown user"
        if self.row.status != "active":
            return "disabled"
        if self.outgrown:
            return "temporary password set by a user who holds less than the account"
        return "wrong password" if self.row.password_hash else "no password set"


@dataclass(frozen=True, slots=True)
class Proved:
    """An account whose password was sent: its row, the compared hash, and whether that has outdated
    parameters."""

    account: Account
    row: SigninRow
    checked: str = field(repr=False)
    outdated: bool


def look_up(clearance: Clearance, username: str) -> Account:
    """What is known about a name, as typed."""
    name = canonical(username)
    with clearance.work.database.reading() as connection:
        row = queries.find_account(connection, name)
        strong = row is not None and row.second_factor_since is not None
        outgrown = row is not None and is_stale(clearance, connection, row)
        return Account(row, name, failures_of(connection, clearance.settings, name), strong, outgrown)


def is_stale(clearance: Clearance, connection: Connection, row: SigninRow) -> bool:
    """Whether the account has a temporary password that is no longer accepted."""
    return bool(row.password_temporary) and is_outgrown(connection, clearance.snapshot, row.id)


def note_failure(clearance: Clearance, account: Account) -> None:
    """Record and count a failed attempt."""
    if not _note_without_lock(clearance, account):
        with clearance.work.database.writing() as connection:
            _count(clearance, connection, account, account.failure())
    SIGNINS.labels("locked" if account.blocked else "failed").inc()


def _note_without_lock(clearance: Clearance, account: Account) -> bool:
    """The same without the write lock (PostgreSQL); False, and nothing changed, where the lock is needed."""
    database, settings = clearance.work.database, clearance.settings
    if database.on_sqlite:
        return False
    (event,) = prepared_events(clearance.actor, (_failed(account, account.failure()),))
    if account.blocked:
        record_alone(database, event)
        return True
    with database.autocommit() as connection:
        seen = account.failures.count
        counted = count_failure_without_lock(connection, settings, account.name, seen, event)
    database.outbox_filled.set()
    return counted


def prove_second_factor(
    clearance: Clearance, connection: Connection, account: Account, row: SigninRow, otp: str | None
) -> tuple[str, ...] | Unauthenticated:
    """After the right password: how the user authenticated (``amr``), or how the attempt fails, recorded and
    counted.

    Runs under the write lock and so sees every failure counted before: parallel guesses get no more tries
    than guesses one after another.
    """
    user_id, name = row.id, row.username
    if not second_factor.has_totp(connection, user_id):
        return PASSWORD
    if otp is None:
        SIGNINS.labels("incomplete").inc()
        record_events(connection, clearance.actor, (_failed(account, "second factor missing"),))
        return MfaRequired()
    account = replace(account, failures=failures_of(connection, clearance.settings, account.name))
    proved = (
        None if account.blocked else second_factor.spend_code(connection, clearance.settings, user_id, otp)
    )
    if proved is None:
        SIGNINS.labels("locked" if account.blocked else "failed").inc()
        _count(clearance, connection, account, "locked" if account.blocked else "wrong second factor")
        return LoginFailed()
    if proved == "recovery":
        actor = Actor("user", user_id, name, None, clearance.actor.ip, clearance.actor.request_id)
        left = {"recovery_codes_left": second_factor.recovery_codes_left(connection, user_id)}
        record(connection, actor, "totp.recovered", Target("user", *row.named), after=left)
    return SECOND_FACTOR


def _failed(account: Account, reason: str) -> Event:
    return Event("signin.failed", account.target, reason, outcome="failure")


def _count(clearance: Clearance, connection: Connection, account: Account, reason: str) -> None:
    record_events(connection, clearance.actor, (_failed(account, reason),))
    if not account.blocked:  # else it was not even tried, so it does not count
        count_failure(connection, clearance.settings, clearance.actor, account.name, account.target)
