"""Sets up a second factor, checks it at sign-in, removes it."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.attempts.service import count_failure, require_unlocked
from rbac_api.capabilities.second_factor import codes, queries
from rbac_api.capabilities.second_factor.errors import (
    SecondFactorNeeded,
    TotpActive,
    TotpCodeWrong,
    TotpNotBegun,
    TotpNotFound,
)
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.enforcement.queries_idempotency import clear_answers
from rbac_api.sealing import seal, unseal
from rbac_api.settings import Settings
from rbac_api.trail.recorder import Target

PURPOSE = "totp"
LOCATION = "/v1/me/totp"
PENDING = timedelta(minutes=10)  # a secret left on a screen must not be confirmed tomorrow


def new_secret(clearance: Clearance) -> tuple[bytes, dict[str, str]]:
    """A secret, and the answer that shows it.

    Separate from ``enrol_totp``, because drawing takes milliseconds: not under the write lock.
    """
    key = codes.new_key()
    uri = codes.otpauth_uri(key, clearance.settings.issuer_url, clearance.actor.name or "")
    return key, {"secret": codes.as_base32(key), "otpauth_uri": uri, "qr_code": codes.qr_code(uri)}


def enrol_totp(clearance: Clearance, key: bytes) -> None:
    """Store a new secret, which counts only when confirmed. 409 ``totp.active`` beside an active factor."""
    user_id, connection = clearance.actor.id or "", clearance.connection
    if has_totp(connection, user_id):
        raise TotpActive()
    erase_totp(connection, user_id)  # one that was started before
    sealed = seal(clearance.settings.secret_key, PURPOSE, key)
    queries.add_factor(connection, {"user_id": user_id, "secret_sealed": sealed, "created_at": clock.now()})
    clearance.record("totp.enrolled", _myself(clearance))


def confirm_totp(clearance: Clearance, code: str) -> list[str]:
    """Prove that the device has the secret; from now on sign-ins ask for it. Returns the recovery codes, only
    this once.

    403 ``totp.wrong``, counted as a failed sign-in; 429 ``account.locked`` after too many.
    """
    user_id, connection, now = clearance.actor.id or "", clearance.connection, clock.now()
    username = clearance.actor.name or ""
    require_unlocked(connection, clearance.settings, username)
    factor = queries.find_factor(connection, user_id)
    if factor is not None and factor.confirmed_at is not None:
        raise TotpActive()
    if factor is None or factor.created_at <= now - PENDING:
        raise TotpNotBegun()
    key = unseal(clearance.settings.secret_key, PURPOSE, factor.secret_sealed)
    step = codes.fitting_step(key, codes.normalised(code), clock.epoch_seconds())
    if step is None:
        count_failure(connection, clearance.settings, clearance.actor, username, _myself(clearance))
        raise TotpCodeWrong()
    if not queries.confirm_factor(connection, factor, step, now):
        raise TotpActive()  # on PostgreSQL, without the write lock, another request may have been quicker
    clear_answers(connection, user_id, LOCATION)  # from now on the secret is worth stealing
    made = codes.new_recovery_codes()
    hashes = [codes.recovery_hash(clearance.settings.secret_key, user_id, one) for one in made]
    queries.add_recovery_codes(connection, user_id, hashes, now)
    clearance.record("totp.confirmed", _myself(clearance), after={"recovery_codes_made": len(made)})
    return made


def remove_totp(clearance: Clearance, user_id: str) -> bool:
    """Erase a user's factor and recovery codes; returns whether it counted, so that the caller ends the
    sessions.

    404 if there is none; 403 for one's own, if it counts and this session did not prove it: the holder may be
    a thief.
    """
    factor = TotpNotFound.require(queries.find_factor(clearance.connection, user_id))
    counted = factor.confirmed_at is not None
    if counted and user_id == clearance.actor.id and not clearance.second_factor:
        raise SecondFactorNeeded()
    erase_totp(clearance.connection, user_id)
    return counted


def erase_totp(connection: Connection, user_id: str) -> None:
    """Erase a factor, and the stored answer that showed its secret and could be repeated for an
    ``Idempotency-Key``."""
    queries.end_factor(connection, user_id)
    clear_answers(connection, user_id, LOCATION)


def delete_unconfirmed(connection: Connection, limit: int) -> int:
    """Delete some of the factors that can no longer be confirmed; returns the number."""
    return queries.delete_unconfirmed_factors(connection, clock.now() - PENDING, limit)


def has_totp(connection: Connection, user_id: str) -> bool:
    """Whether signing in asks for a second factor."""
    factor = queries.find_factor(connection, user_id)
    return factor is not None and factor.confirmed_at is not None


def spend_code(
    connection: Connection, settings: Settings, user_id: str, typed: str
) -> Literal["totp", "recovery"] | None:
    """What a typed code proves: the device, or a recovery code. Each works once; None if it is wrong."""
    code, factor = codes.normalised(typed), queries.find_factor(connection, user_id)
    if factor is None or factor.confirmed_at is None:
        return None
    if not codes.is_totp(code):
        hashed = codes.recovery_hash(settings.secret_key, user_id, code)
        return "recovery" if queries.spend_recovery_code(connection, user_id, hashed, clock.now()) else None
    key = unseal(settings.secret_key, PURPOSE, factor.secret_sealed)
    step = codes.fitting_step(key, code, clock.epoch_seconds())
    return "totp" if step is not None and queries.spend_step(connection, factor, step) else None


def recovery_codes_left(connection: Connection, user_id: str) -> int:
    """How many recovery codes are still good."""
    return queries.count_recovery_codes(connection, user_id)


def _myself(clearance: Clearance) -> Target:
    return Target("user", clearance.actor.id, clearance.actor.name, clearance.actor.home)
