"""Failed sign-ins: what is known of an account that somebody tries, and what it costs her to fail.  Part of the service."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row

from rbac_api import clock
from rbac_api.capabilities.second_factor import service as second_factor
from rbac_api.capabilities.sessions.service import PASSWORD
from rbac_api.capabilities.signin import queries
from rbac_api.capabilities.signin.errors import LoginFailed, MfaRequired
from rbac_api.decision.names import canonical
from rbac_api.errors import Unauthenticated
from rbac_api.guard.alarms import sound_lockout
from rbac_api.guard.clearance import Clearance
from rbac_api.sealing import derived_key
from rbac_api.settings import Settings
from rbac_api.trail.recorder import Actor, Target, record
from rbac_api.web.metrics import SIGNINS

LONGEST_DELAY = 60
FORGET_FAILURES = timedelta(days=1)
SECOND_FACTOR = (*PASSWORD, "otp")


@dataclass(frozen=True, slots=True)
class Account:
    """What is known about a name somebody tries to sign in with; ``row`` None if it is nobody's."""

    row: Row[Any] | None
    digest: str
    failures: int
    blocked: bool
    second_factor: bool = False

    @property
    def password_hash(self) -> str | None:
        """The hash to compare with; None (so that a dummy is compared) if the attempt cannot succeed anyway."""
        if self.row is None or self.row.status != "active" or self.blocked:
            return None
        password_hash: str | None = self.row.password_hash
        return password_hash

    def failure(self) -> str:
        """Why an attempt failed, for the trail alone."""
        if self.blocked:
            return "locked"
        if self.row is None or self.row.status == "deleted":
            return "unknown user"
        if self.row.status != "active":
            return "disabled"
        return "wrong password" if self.row.password_hash else "no password set"


def look_up(clearance: Clearance, username: str) -> Account:
    """What is known of a name, as it was typed."""
    name = canonical(username)
    digest = name_digest(clearance.settings, name)
    with clearance.work.database.reading() as connection:
        row = queries.find_account(connection, name)
        strong = row is not None and row.second_factor_since is not None
        return _with_count(connection, Account(row, digest, 0, False, strong))


def _with_count(connection: Connection, account: Account) -> Account:
    """The same account with its failures as they are counted now."""
    counted = queries.find_attempts(connection, account.digest)
    if counted is None:
        return account
    blocked = counted.blocked_until is not None and clock.now() < counted.blocked_until
    return replace(account, failures=counted.failures, blocked=blocked)


def name_digest(settings: Settings, name: str) -> str:
    """Under what a name's failures are counted: what people type into the wrong box is not kept in clear."""
    return hmac.new(
        derived_key(settings.secret_key, "signin-name"), name.encode(), hashlib.sha256
    ).hexdigest()


def note_failure(clearance: Clearance, account: Account) -> None:
    """Record and count a failed attempt."""
    with clearance.work.database.writing() as connection:
        _count(clearance, connection, account, account.failure())


def prove_second_factor(
    clearance: Clearance, connection: Connection, account: Account, otp: str | None
) -> tuple[str, ...] | Unauthenticated:
    """After the right password: by what somebody has proved who she is (``amr``), or how the attempt fails, recorded and counted.

    Under the write lock, where every failure counted before is seen: of many guesses at once no more are tried than one after the other.
    """
    user_id, name = account.row.id, account.row.username  # type: ignore[union-attr]  # it has just been proved to exist
    if not second_factor.has_totp(connection, user_id):
        return PASSWORD
    if otp is None:
        SIGNINS.labels("incomplete").inc()
        _record_failure(clearance, connection, account, "second factor missing")
        return MfaRequired()
    account = _with_count(connection, account)
    proved = (
        None if account.blocked else second_factor.spend_code(connection, clearance.settings, user_id, otp)
    )
    if proved is None:
        _count(clearance, connection, account, "locked" if account.blocked else "wrong second factor")
        return LoginFailed()
    if proved == "recovery":
        actor = Actor("user", user_id, name, None, clearance.actor.ip, clearance.actor.request_id)
        left = {"recovery_codes_left": second_factor.recovery_codes_left(connection, user_id)}
        record(connection, actor, "totp.recovered", Target("user", user_id, name), after=left)
    return SECOND_FACTOR


def _record_failure(clearance: Clearance, connection: Connection, account: Account, reason: str) -> Target:
    row = account.row
    target = Target("user", row.id, row.username) if row is not None else Target("user")
    record(connection, clearance.actor, "signin.failed", target, outcome="failure", reason=reason)
    return target


def _count(clearance: Clearance, connection: Connection, account: Account, reason: str) -> None:
    SIGNINS.labels("locked" if account.blocked else "failed").inc()
    target = _record_failure(clearance, connection, account, reason)
    if account.blocked:
        return  # was not even tried, so it does not count
    now = clock.now()
    failures = queries.count_failure(connection, account.digest, now)
    seconds = blocking(clearance.settings, failures)
    if seconds:
        queries.block(connection, account.digest, now + timedelta(seconds=seconds))
    if failures >= clearance.settings.signin_lock_failures:
        _record_lock(clearance, connection, target, {"failures": failures, "seconds": seconds})
    queries.clear_old_failures(connection, now - FORGET_FAILURES)


def _record_lock(clearance: Clearance, connection: Connection, target: Target, facts: dict[str, int]) -> None:
    reason = "too many failures"
    record(
        connection, clearance.actor, "signin.locked", target, outcome="failure", reason=reason, after=facts
    )
    if target.id is not None:  # a name that is nobody's is counted too, but there is nobody to look after
        sound_lockout(connection, clearance.actor, target.id, target.name or "")


def blocking(settings: Settings, failures: int) -> int:
    """Seconds for which an account is blocked after so many failures in a row: nothing, then 1, 2, 4 …, then the time-boxed lock."""
    if failures >= settings.signin_lock_failures:
        return settings.signin_lock_seconds
    if failures < settings.signin_free_failures:
        return 0
    return min(LONGEST_DELAY, 1 << (failures - settings.signin_free_failures))
