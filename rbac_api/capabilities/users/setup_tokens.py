"""Sets passwords: setup tokens and the writing of the hash. Part of the service, in a file of its own."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.attempts.service import clear_failures
from rbac_api.capabilities.passwords.service import require_good_password
from rbac_api.capabilities.second_factor import service as second_factor
from rbac_api.capabilities.sessions.service import Termination, close_user_sessions, forget_second_factor
from rbac_api.capabilities.users import queries
from rbac_api.capabilities.users.answers import PasswordSetupAnswer
from rbac_api.capabilities.users.errors import SetupTokenInvalid, UserNotFound
from rbac_api.database.queries import users as reads
from rbac_api.database.queries.users import UserRow
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.enforcement.issuers import is_outgrown
from rbac_api.guard.revocation.denylist import outdate
from rbac_api.settings import Settings
from rbac_api.trail.recorder import Target

PREFIX = "rbac-setup-"  # so that secret scanners and people recognise one


def issue_setup(connection: Connection, settings: Settings, user_id: str) -> PasswordSetupAnswer:
    """Issue a single-use token, the user's only valid one; 256 random bits, stored as SHA-256."""
    now = clock.now()
    token, expires_at = (
        PREFIX + secrets.token_urlsafe(32),
        now + timedelta(seconds=settings.password_setup_seconds),
    )
    queries.retire_password_setups(connection, user_id, now)
    queries.add_password_setup(
        connection,
        {"token_hash": _digest(token), "user_id": user_id, "created_at": now, "expires_at": expires_at},
    )
    return {"token": token, "expires_at": expires_at}


def reset_password(clearance: Clearance, user_id: str) -> PasswordSetupAnswer:
    """Remove the password, end every session, and issue a setup token: only users choose their passwords."""
    clearance, user = find_user_at_home(clearance, user_id)
    clearance.require_other(user.id, "use POST /v1/me/password")
    clearance.require_outranks_user(user.id, user.username)
    now = clock.now()
    queries.update_user(
        clearance.connection,
        user.id,
        user.version,
        {"password_hash": None, "password_temporary": False, "updated_at": now},
    )
    ended = end_sessions(clearance, user.id, "password-change")
    clearance.require_administrator_remains()
    issued = issue_setup(clearance.connection, clearance.settings, user.id)
    facts = {"sessions_ended": len(ended), "setup_expires_at": clock.rfc3339(issued["expires_at"])}
    clearance.record("password.reset", Target("user", user.id, user.username, user.home), after=facts)
    return issued


def spend_setup(clearance: Clearance, token: str, new_password: str) -> None:
    """Choose a password with a setup token, which one conditional update spends. Ends every session of that
    user."""
    digest = _digest(token)
    with clearance.work.database.reading() as connection:
        setup = queries.find_password_setup(connection, digest, clock.now())
    if setup is None:
        raise SetupTokenInvalid()
    require_good_password(new_password, setup.username)
    hashed = clearance.runtime.hasher.hash(new_password)
    setup = queries.find_password_setup(clearance.connection, digest, clock.now())
    if setup is None or is_outgrown(clearance.connection, clearance.snapshot, setup.user_id):
        raise SetupTokenInvalid()
    queries.spend_password_setup(clearance.connection, digest, clock.now())
    set_password(clearance, setup.user_id, hashed, action="password.set")


def set_password(
    clearance: Clearance, user_id: str, hashed: str, *, action: str, keep_session: str | None = None
) -> None:
    """Set a password that the user chose, and end the user's sessions (except the one that is named)."""
    user = _present(clearance, user_id)
    _put_password(clearance, user, hashed, temporary=False)
    ending = Termination(clearance.actor.id or user.id, "password-change")
    ended = close_user_sessions(clearance.connection, clearance.settings, user.id, ending, but=keep_session)
    clearance.record(
        action, Target("user", user.id, user.username, user.home), after={"sessions_ended": len(ended)}
    )


def restore_access(clearance: Clearance, user_id: str, hashed: str) -> None:
    """Set a one-time password and end every session: the last step of offline recovery, recorded as such."""
    user = _present(clearance, user_id)
    _put_password(clearance, user, hashed, temporary=True)
    ended = end_sessions(clearance, user.id, "admin")
    facts = {"password_temporary": True, "sessions_ended": len(ended)}
    clearance.record("admin.recovered", Target("user", user.id, user.username, user.home), after=facts)


def remove_user_totp(clearance: Clearance, user_id: str) -> None:
    """Remove a lost second factor of a user; ends all sessions, since a thief may have found it."""
    clearance, user = find_user_at_home(clearance, user_id)
    clearance.require_other(user.id, "use DELETE /v1/me/totp")
    clearance.require_outranks_user(user.id, user.username)
    drop_second_factor(clearance, user.id)


def unlock_user(clearance: Clearance, user_id: str) -> bool:
    """Lift the delay or lock after failed sign-ins; returns whether there was one."""
    clearance, user = find_user_at_home(clearance, user_id)
    clearance.require_other(
        user.id, "ask another administrator, or wait"
    )  # else a thief could go on guessing
    clearance.require_outranks_user(user.id, user.username)
    lifted = clear_failures(clearance.connection, clearance.settings, user.username)
    if lifted:
        clearance.record("user.unlocked", Target("user", user.id, user.username, user.home))
    return lifted


def drop_second_factor(clearance: Clearance, user_id: str, *, keep_session: str | None = None) -> None:
    """Remove a second factor and what depends on it: sessions (except ``keep_session``, which becomes one
    without), and ``av``."""
    user, ended = _present(clearance, user_id), 0
    if second_factor.remove_totp(clearance, user.id):
        raised = {"authorization_version": user.authorization_version + 1, "updated_at": clock.now()}
        write_user(clearance, user, raised)
        ending = Termination(clearance.actor.id, "logout" if keep_session else "admin")
        connection, settings = clearance.connection, clearance.settings
        ended = len(close_user_sessions(connection, settings, user.id, ending, but=keep_session))
        if keep_session:
            forget_second_factor(connection, keep_session)
    clearance.record(
        "totp.removed", Target("user", user.id, user.username, user.home), after={"sessions_ended": ended}
    )


def erase_credentials(clearance: Clearance, user_id: str) -> None:
    """Erase the credentials of a deleted user: setup tokens and second factor."""
    queries.retire_password_setups(clearance.connection, user_id, clock.now())
    second_factor.erase_totp(clearance.connection, user_id)


def delete_old_setups(connection: Connection, before: datetime, limit: int) -> int:
    """Delete some of the setup tokens that expired before that moment; returns the number."""
    return queries.delete_old_setups(connection, before, limit)


def write_user(clearance: Clearance, user: UserRow, values: dict[str, Any]) -> bool:
    """Change a user's row if it is as it was read; detached verifiers are informed of a raised ``av``."""
    written = queries.update_user(clearance.connection, user.id, user.version, values)
    if written and "authorization_version" in values:
        outdate(clearance.connection, clearance.settings, {user.id: values["authorization_version"]})
    return written


def note_signin(connection: Connection, user_id: str, checked: str, password_hash: str) -> bool:
    """Note the time of a sign-in and store an upgraded hash.

    False if the user was disabled or deleted or got another password after the hash ``checked`` was read.
    """
    values = {"last_login_at": clock.now(), "password_hash": password_hash}
    return queries.note_signin(connection, user_id, checked, values)


def end_sessions(clearance: Clearance, user_id: str, reason: str) -> list[str]:
    """End every active session of a user; returns their ids."""
    ending = Termination(clearance.actor.id, reason)
    return close_user_sessions(clearance.connection, clearance.settings, user_id, ending)


def _put_password(clearance: Clearance, user: UserRow, hashed: str, *, temporary: bool) -> None:
    now = clock.now()
    values = {
        "password_hash": hashed, "password_temporary": temporary, "password_changed_at": now,
        "updated_at": now, "authorization_version": user.authorization_version + 1,
    }  # fmt: skip
    write_user(clearance, user, values)
    queries.retire_password_setups(clearance.connection, user.id, now)
    clear_failures(
        clearance.connection, clearance.settings, user.username
    )  # they were guesses at another password


def find_user_at_home(clearance: Clearance, user_id: str) -> tuple[Clearance, UserRow]:
    """The row, and the clearance at the user's home; 404 for an unknown or deleted user, and for one whom the
    caller may not read."""
    user = _present(clearance, user_id)
    return clearance.over(user.home, "users:read", UserNotFound), user


def _present(clearance: Clearance, user_id: str) -> UserRow:
    return UserNotFound.require(reads.find_user(clearance.connection, user_id))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
