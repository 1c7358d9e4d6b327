"""Accounts: creates, changes, disables and deletes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.domains.service import require_domain
from rbac_api.capabilities.passwords.service import require_good_password
from rbac_api.capabilities.users import queries
from rbac_api.capabilities.users.answers import CreatedUserAnswer, UserAnswer
from rbac_api.capabilities.users.erasure import erase_profile, find_erasable, require_outranks_deleted
from rbac_api.capabilities.users.errors import UsernameTaken, UserNotFound
from rbac_api.capabilities.users.queries import ROW_VERSION, signing_in
from rbac_api.capabilities.users.serializers import describe, describe_all
from rbac_api.capabilities.users.setup_tokens import (
    delete_old_setups,
    drop_second_factor,
    end_sessions,
    erase_credentials,
    find_user_at_home,
    issue_setup,
    note_signin,
    remove_user_totp,
    reset_password,
    restore_access,
    set_password,
    spend_setup,
    unlock_user,
    write_user,
)
from rbac_api.database.queries import users as reads
from rbac_api.database.queries.users import UserRow
from rbac_api.database.types import is_id, new_id
from rbac_api.decision.model import ROOT
from rbac_api.decision.names import canonical, search_text, username_problem
from rbac_api.errors import Fault, Invalid
from rbac_api.formats.http_errors import PreconditionFailed
from rbac_api.formats.row_versions import require_match
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.trail.fields import changes, tracked
from rbac_api.trail.recorder import Target

__all__ = [
    "ROW_VERSION", "NewUser", "add_user", "change_status", "create_user", "delete_old_setups", "delete_user",
    "describe", "describe_all", "drop_second_factor", "end_user_assignments", "end_user_sessions",
    "erase_profile", "find_erasable", "find_person", "find_user", "find_user_at_home",
    "find_user_id", "get_user", "issue_setup",
    "known_user", "no_users", "note_signin", "remove_user_totp", "require_outranks_deleted",
    "reset_password", "restore_access", "row_of", "set_password", "signing_in", "spend_setup", "unlock_user",
    "update_profile", "update_user",
]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUser:
    """The fields of a new account; a ``password_hash`` is temporary unless ``password_final``."""

    username: str
    email: str | None = None
    display_name: str | None = None
    password_hash: str | None = None
    password_final: bool = False
    home: str = ROOT


def create_user(clearance: Clearance, body: Mapping[str, Any]) -> tuple[UserAnswer | CreatedUserAnswer, int]:
    """Create a user. Returns it, with a setup token if there is no password, and the row's version.

    403 without the permission at the new user's home, 404 for a home that is no domain.
    """
    username, password = body["username"], body.get("password")
    home = body.get("home", clearance.home_by_default)
    spaced = username != username.strip()
    if spaced and known_user(clearance.at(home), username):  # "taken" is the more useful error
        raise UsernameTaken()
    require_good_name(username)
    hashed = None
    if password is not None:
        require_good_password(password, username, pointer="/password")
        hashed = clearance.runtime.hasher.hash(password)  # before the write lock, so other requests go on
    mail, name = body.get("email"), body.get("display_name")
    clearance = clearance.at(home)
    require_domain(clearance, home)
    new = NewUser(username=username, email=mail, display_name=name, password_hash=hashed, home=home)
    user = add_user(clearance, new)
    [answer] = describe_all(clearance, [user])
    if hashed is not None:
        return answer, user.version
    setup = issue_setup(clearance.connection, clearance.settings, user.id)
    return {**answer, "password_setup": setup}, user.version


def add_user(clearance: Clearance, new: NewUser) -> UserRow:
    """Write the account and its event. 409 if the canonical name is or was in use."""
    if known_user(clearance, new.username):
        raise UsernameTaken()
    row = row_of(new, clock.now())
    queries.add_user(clearance.connection, row)
    clearance.record(
        "user.created", Target("user", row["id"], new.username, new.home), after=tracked("users", row)
    )
    return find_user(clearance.connection, row["id"])


def row_of(new: NewUser, now: Any) -> dict[str, Any]:
    """The row of a new account."""
    return {
        "id": new_id(), "username": new.username, "username_canonical": canonical(new.username),
        "status": "active", "created_at": now, "updated_at": now, "password_hash": new.password_hash,
        "password_temporary": new.password_hash is not None and not new.password_final,
        "password_changed_at": now if new.password_hash else None, "version": 1, "authorization_version": 1,
        "search_text": search_text(new.username, new.email, new.display_name), "home": new.home,
        **_profile(new.email, new.display_name),
    }  # fmt: skip


def get_user(clearance: Clearance, user_id: str) -> tuple[UserAnswer, int]:
    """One user and the row's version."""
    clearance, user = find_user_at_home(clearance, user_id)
    return describe_all(clearance, [user])[0], user.version


def no_users(clearance: Clearance) -> bool:
    """Whether the database has no account yet."""
    return not queries.any_user(clearance.connection)


def known_user(clearance: Clearance, username: str) -> UserRow | None:
    """The account that has, or had, this name."""
    secret = clearance.settings.secret_key
    return reads.find_user_by_name(clearance.connection, secret, canonical(username))


def find_person(clearance: Clearance, username: str) -> UserRow:
    """The row by name, in any case and form; 404 for an unknown or deleted user."""
    user = known_user(clearance, username)
    if user is None or user.kind != "person":
        raise UserNotFound("There is no user with this name.")
    if user.status == "deleted":
        raise UserNotFound("This user was deleted; neither account nor name can be used again.")
    return user


def find_user_id(clearance: Clearance, user: str) -> str:
    """The id of the user named by id or username; 404 for a username that is unknown, or of a user whom the
    caller may not read."""
    if is_id(user):
        return user.lower()
    user_id, home = UserNotFound.require(reads.find_named(clearance.connection, user, "person"))
    clearance.over(home, "users:read", UserNotFound)
    return user_id


def find_user(connection: Connection, user_id: str) -> UserRow:
    """The row; 404 for an unknown or deleted user."""
    return UserNotFound.require(reads.find_user(connection, user_id))


def update_user(
    clearance: Clearance, user_id: str, tags: frozenset[str], body: Mapping[str, Any]
) -> tuple[UserAnswer, int]:
    """Change profile, status and home, the address only after a recent sign-in.

    Disabling ends every session; a new home needs the permission there too. 409 ``admin.last``, 403
    ``target.stronger``, 412 stale.
    """
    clearance, user = find_user_at_home(clearance, user_id)
    clearance.require_outranks_user(user.id, user.username)
    require_match(tags, describe_all(clearance, [user])[0], user.version)
    if body.get("email", user.email) != user.email:
        clearance.require_recent_signin()  # it may be the way back in
    status, home = body.get("status", user.status), body.get("home", user.home)
    if home != user.home:
        require_domain(clearance.at(home), home)
    _change(clearance, user, {**_changed_profile(body), "status": status, "home": home})
    if status == "disabled" and user.status == "active":
        clearance.require_administrator_remains()
    user = find_user(clearance.connection, user_id)
    return describe_all(clearance, [user])[0], user.version


def change_status(clearance: Clearance, user_id: str, status: str) -> bool:
    """Enable or disable a user; whether it had an effect. 409 ``admin.last``, 403 ``target.stronger``."""
    user = find_user(clearance.connection, user_id)
    clearance.require_outranks_user(user.id, user.username)
    if user.status == status:
        return False
    _change(clearance, user, {"status": status})
    if status == "disabled":
        clearance.require_administrator_remains()
    return True


def update_profile(clearance: Clearance, body: Mapping[str, Any]) -> None:
    """Change the caller's display name and, after a recent sign-in, mail address."""
    user = find_user(clearance.connection, clearance.actor.id or "")
    if body.get("email", user.email) != user.email:
        clearance.require_recent_signin()
    _change(clearance, user, _changed_profile(body))


def delete_user(clearance: Clearance, user_id: str, tags: frozenset[str]) -> None:
    """End sessions and assignments, and leave a row without a name: id and username are never used again."""
    clearance, user = find_user_at_home(clearance, user_id)
    clearance.require_outranks_user(user.id, user.username)
    require_match(tags, describe_all(clearance, [user])[0], user.version)
    now = clock.now()
    gone = {
        "status": "deleted", "email": None, "email_canonical": None, "display_name": None,
        "password_hash": None, "search_text": "", "deleted_at": now, "updated_at": now,
        "authorization_version": user.authorization_version + 1,
    }  # fmt: skip
    _write(clearance, user, gone)
    erase_credentials(clearance, user.id)
    ended = end_sessions(clearance, user.id, "user-deleted")
    roles = end_user_assignments(clearance.connection, user.id, now)
    clearance.require_administrator_remains()
    before = {**tracked("users", user._asdict()), "roles": roles}
    clearance.record(
        "user.deleted",
        Target("user", user.id, user.username, user.home),
        before=before,
        after={"sessions_ended": len(ended)},
    )


def end_user_sessions(clearance: Clearance, user_id: str) -> None:
    """End every active session of a user."""
    clearance, user = find_user_at_home(clearance, user_id)
    if user.id != clearance.actor.id:
        clearance.require_outranks_user(user.id, user.username)
    ended = end_sessions(clearance, user.id, "admin")
    if ended:
        clearance.record(
            "sessions.ended",
            Target("user", user.id, user.username, user.home),
            after={"sessions": ended[:50], "count": len(ended)},
        )


def end_user_assignments(connection: Connection, user_id: str, now: datetime) -> list[str]:
    """End all assignments of a deleted user, without an event; the names of the roles."""
    return queries.end_user_assignments(connection, user_id, now)


def require_good_name(username: str) -> None:
    """422 with the reason unless a user can have this name."""
    problem = username_problem(username)
    if problem:
        raise Invalid(faults=(Fault("/username", "username.invalid", problem),))


def _change(clearance: Clearance, user: UserRow, values: dict[str, Any]) -> None:
    wanted = {**user._asdict(), **values}
    before, after = changes("users", user._asdict(), wanted)
    if not after:
        return
    values["search_text"] = search_text(wanted["username"], wanted["email"], wanted["display_name"])
    action = "user.updated"
    if "status" in after:
        action = "user.disabled" if after["status"] == "disabled" else "user.enabled"
        values["authorization_version"] = user.authorization_version + 1
    _write(clearance, user, {**values, "updated_at": clock.now()})
    if action == "user.disabled":
        after["sessions_ended"] = len(end_sessions(clearance, user.id, "user-disabled"))
    clearance.record(action, Target("user", user.id, user.username, user.home), before=before, after=after)


def _write(clearance: Clearance, user: UserRow, values: dict[str, Any]) -> None:
    if not write_user(clearance, user, values):
        raise PreconditionFailed()


def _profile(email: str | None, display_name: str | None) -> dict[str, Any]:
    return {
        "email": email,
        "email_canonical": canonical(email) if email else None,
        "display_name": display_name,
    }


def _changed_profile(body: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {name: body[name] for name in ("display_name",) if name in body}
    if "email" in body:
        found |= {
            "email": body["email"],
            "email_canonical": canonical(body["email"]) if body["email"] else None,
        }
    return found
