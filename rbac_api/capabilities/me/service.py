"""The caller's own account."""

from __future__ import annotations

from collections.abc import Mapping

from rbac_api.capabilities.attempts.service import count_failure, name_digest, require_unlocked
from rbac_api.capabilities.me import queries
from rbac_api.capabilities.me.errors import CurrentPasswordWrong
from rbac_api.capabilities.passwords.service import require_changed_password, require_good_password
from rbac_api.capabilities.second_factor import service as second_factor
from rbac_api.capabilities.sessions.service import describe as describe_session
from rbac_api.capabilities.users import service as users
from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.database.queries.users import UserRow
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.enforcement.issuers import is_outgrown
from rbac_api.trail.recorder import Target


def get_me(clearance: Clearance) -> dict[str, object]:
    """The user, the session of this request, and the roles and permissions effective where it acts."""
    digest = name_digest(clearance.settings, clearance.actor.name or "")
    account = UserNotFound.require(queries.find_account(clearance.connection, clearance.actor, digest))
    person = clearance.person.acting
    return {
        **users.describe(account.user, account.locked_until),
        "roles": sorted(person.roles),
        "permissions": sorted(person.permissions),
        "second_factor": account.second_factor,
        "session": describe_session(account.session),
    }


def update_me(clearance: Clearance, body: Mapping[str, object]) -> dict[str, object]:
    """Change the caller's display name and, only after a recent sign-in, mail address."""
    users.update_profile(clearance, body)
    return get_me(clearance)


def change_my_password(clearance: Clearance, current: str, new: str) -> None:
    """Change the caller's password, with the current one as proof; every other session ends."""
    user = _proved(clearance, current)
    require_changed_password(new, current)
    require_good_password(new, user.username)
    hashed = clearance.runtime.hasher.hash(new)
    _require_unchanged(clearance, user)
    users.set_password(
        clearance, user.id, hashed, action="password.changed", keep_session=clearance.actor.session_id
    )


def enrol_totp(clearance: Clearance, current: str) -> dict[str, str]:
    """Begin to set up a second factor, with the password as proof. Returns its secret, only this once."""
    proved = _proved(clearance, current)
    key, shown = second_factor.new_secret(clearance)
    _require_unchanged(clearance, proved)
    second_factor.enrol_totp(clearance, key)
    return shown


def remove_totp(clearance: Clearance) -> None:
    """Remove the caller's second factor. Every other session ends, and this one continues without it."""
    user_id = clearance.actor.id or ""
    users.find_user(clearance.connection, user_id)
    users.drop_second_factor(clearance, user_id, keep_session=clearance.actor.session_id)


def _proved(clearance: Clearance, current: str) -> UserRow:
    """The caller, after a check of the password.

    403 ``password.wrong``, counted as a failed sign-in; 429 ``account.locked`` after too many. Holds no
    connection while hashing.
    """
    with clearance.runtime.hasher.slot():  # as at sign-in: parallel guesses cannot exceed the limit
        with clearance.work.database.reading() as connection:
            user = users.find_user(connection, clearance.actor.id or "")
            require_unlocked(connection, clearance.settings, user.username)
            stale = user.password_temporary and is_outgrown(connection, clearance.snapshot, user.id)
        if not clearance.runtime.hasher.check(current, None if stale else user.password_hash).fits:
            target = Target("user", user.id, user.username, user.home)
            count_failure(clearance.connection, clearance.settings, clearance.actor, user.username, target)
            raise CurrentPasswordWrong()
    return user


def _require_unchanged(clearance: Clearance, proved: UserRow) -> None:
    """Check again, under the write lock, what was proved before it."""
    require_unlocked(clearance.connection, clearance.settings, proved.username)
    user = users.find_user(clearance.connection, proved.id)
    stale = user.password_temporary and is_outgrown(clearance.connection, clearance.snapshot, user.id)
    if stale or user.password_hash != proved.password_hash:
        raise CurrentPasswordWrong()
