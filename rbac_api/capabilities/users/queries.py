"""SQL for users and password setup tokens."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import (
    CTE,
    Connection,
    Text,
    bindparam,
    cast,
    delete,
    exists,
    insert,
    literal_column,
    select,
    update,
)

from rbac_api.capabilities.users.errors import UsernameTaken
from rbac_api.database.constraints import register_constraint
from rbac_api.database.tables import assignments, password_setups, roles, totp_factors, users
from rbac_api.database.validity import ended, not_over

register_constraint("uq_users_username_canonical", UsernameTaken)

_SIGNED_IN = update(users).where(
    users.c.id == bindparam("user_id"), users.c.password_hash == bindparam("old_hash"),
    users.c.status == "active"
)  # fmt: skip
# PostgreSQL's number of the transaction that wrote the row: any change of the row changes it.
ROW_VERSION = cast(literal_column("users.xmin"), Text)


def signing_in() -> CTE:
    """The part of a statement that notes a sign-in in the row of ``user_id`` (PostgreSQL).

    It changes nothing if anything was written to the row since ``row_version`` was read, such as another
    status, password, authorization version or sign-in, or if a second factor was confirmed.
    """
    confirmed = (totp_factors.c.user_id == users.c.id, totp_factors.c.confirmed_at.is_not(None))
    return (
        update(users)
        .where(
            users.c.id == bindparam("user_id"),
            bindparam("row_version") == ROW_VERSION,
            ~exists(select(1).where(*confirmed)),
        )
        .values(last_login_at=bindparam("now"), password_hash=bindparam("new_hash"))
        .returning(users.c.id)
        .cte("signed_in")
    )


def any_user(connection: Connection) -> bool:
    return connection.execute(select(users.c.id).limit(1)).first() is not None


def add_user(connection: Connection, values: dict[str, object]) -> None:
    connection.execute(insert(users).values(values))


def update_user(connection: Connection, user_id: str, version: int, values: dict[str, object]) -> bool:
    """Change the row if it still has that version; check and write are one statement."""
    changed = update(users).where(users.c.id == user_id, users.c.version == version)
    return connection.execute(changed.values(**values, version=version + 1)).rowcount == 1


def note_signin(connection: Connection, user_id: str, old_hash: str, values: dict[str, object]) -> bool:
    """Change the row of a user who signed in, if the password is still the one that was checked."""
    return connection.execute(_SIGNED_IN, {"user_id": user_id, "old_hash": old_hash, **values}).rowcount == 1


def end_user_assignments(connection: Connection, user_id: str, now: datetime) -> list[str]:
    """End all assignments of a user, including those that have not begun; the names of the roles."""
    still = not_over(assignments, now)
    ending = (
        update(assignments).where(assignments.c.user_id == user_id, still).values(ended(assignments, now))
    )
    role_ids = list(connection.execute(ending.returning(assignments.c.role_id)).scalars())
    return sorted(connection.execute(select(roles.c.name).where(roles.c.id.in_(role_ids))).scalars())


def add_password_setup(connection: Connection, values: dict[str, object]) -> None:
    connection.execute(insert(password_setups).values(values))


def retire_password_setups(connection: Connection, user_id: str, now: datetime) -> None:
    """Make every unspent setup token of this user useless."""
    open_ones = update(password_setups).where(
        password_setups.c.user_id == user_id, password_setups.c.spent_at.is_(None)
    )
    connection.execute(open_ones.values(spent_at=now))


def delete_setups(connection: Connection, user_id: str) -> None:
    connection.execute(delete(password_setups).where(password_setups.c.user_id == user_id))


def list_roles_at_deletion(
    connection: Connection, user_id: str, deleted_at: datetime
) -> dict[str, frozenset[str]]:
    """The names of the roles whose assignments the deletion ended, of those that still exist, by domain."""
    joined = assignments.join(roles, assignments.c.role_id == roles.c.id)
    ended_then = (assignments.c.user_id == user_id, assignments.c.valid_to >= deleted_at)
    query = select(assignments.c.domain, roles.c.name).select_from(joined)
    found: dict[str, set[str]] = {}
    for row in connection.execute(query.where(*ended_then, roles.c.valid_to.is_(None))):
        found.setdefault(row.domain, set()).add(row.name)
    return {domain: frozenset(names) for domain, names in found.items()}


class PasswordSetup(NamedTuple):
    """The user of a setup token."""

    user_id: str
    username: str


def find_password_setup(connection: Connection, token_hash: str, now: datetime) -> PasswordSetup | None:
    """An unspent, unexpired setup token of an active user, with the user."""
    joined = password_setups.join(users, password_setups.c.user_id == users.c.id)
    timely = (
        password_setups.c.spent_at.is_(None),
        password_setups.c.expires_at > now,
        users.c.status == "active",
    )
    query = select(password_setups.c.user_id, users.c.username).select_from(joined)
    row = connection.execute(query.where(password_setups.c.token_hash == token_hash, *timely)).first()
    return PasswordSetup._make(row) if row else None


def spend_password_setup(connection: Connection, token_hash: str, now: datetime) -> bool:
    """Spend the token if it is unspent: only one of many attempts succeeds."""
    spent = update(password_setups).where(
        password_setups.c.token_hash == token_hash, password_setups.c.spent_at.is_(None)
    )
    return connection.execute(spent.values(spent_at=now)).rowcount == 1


def delete_old_setups(connection: Connection, before: datetime, limit: int) -> int:
    """Delete setup tokens that expired before that moment, spent or not; returns the number."""
    old = select(password_setups.c.token_hash).where(password_setups.c.expires_at < before).limit(limit)
    return connection.execute(delete(password_setups).where(password_setups.c.token_hash.in_(old))).rowcount
