"""Reads accounts of users and of services."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, select

from rbac_api.database.engine import batched
from rbac_api.database.tables import users
from rbac_api.database.types import is_id
from rbac_api.decision.model import Status
from rbac_api.decision.names import canonical
from rbac_api.sealing import keyed_hash

_FIND_ID = select(users.c.id).where(users.c.username_canonical == bindparam("name"))


class AccountRow(NamedTuple):
    """What decisions and tokens need about an account; ``kind`` is ``person`` or ``service``."""

    id: str
    kind: str
    username: str
    status: Status
    password_temporary: bool
    authorization_version: int
    home: str


class UserRow(NamedTuple):
    """A row of ``users``: a user, or what a service account has in common with one."""

    id: str
    username: str
    username_canonical: str
    email: str | None
    email_canonical: str | None
    display_name: str | None
    search_text: str
    kind: str
    status: Status
    password_hash: str | None
    password_temporary: bool
    password_changed_at: datetime | None
    version: int
    authorization_version: int
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None
    deleted_at: datetime | None
    erased_at: datetime | None
    home: str


class ListedUser(NamedTuple):
    """What is shown of a user: the columns of ``UserRow`` that an answer needs."""

    id: str
    username: str
    username_canonical: str
    email: str | None
    display_name: str | None
    status: Status
    password_temporary: bool
    created_at: datetime
    updated_at: datetime
    last_login_at: datetime | None
    home: str


LISTED = tuple(users.c[name] for name in ListedUser._fields)
USER = tuple(users.c[name] for name in UserRow._fields)
_PERSON = select(*USER).where(
    users.c.id == bindparam("user_id"), users.c.kind == "person", users.c.status != "deleted"
)
_NAMED = select(*USER).where(users.c.username_canonical.in_((bindparam("name"), bindparam("erased"))))
_TOMBSTONE = select(*USER).where(users.c.id == bindparam("user_id"), users.c.kind == "person")
ACCOUNT = tuple(users.c[name] for name in AccountRow._fields)
_FIND_ACCOUNT = select(*ACCOUNT).where(users.c.id == bindparam("user_id"))


def find_user(connection: Connection, user_id: str) -> UserRow | None:
    """A user who was not deleted; service accounts, which are rows of the same table, are not found."""
    row = connection.execute(_PERSON, {"user_id": user_id}).first()
    return UserRow._make(row) if row else None


def find_deleted_or_not(connection: Connection, user_id: str) -> UserRow | None:
    """A user, deleted or not."""
    row = connection.execute(_TOMBSTONE, {"user_id": user_id}).first()
    return UserRow._make(row) if row else None


def find_user_by_name(connection: Connection, secret: str, name: str) -> UserRow | None:
    """The row with this canonical name; also a deleted user, whose name stays in use even when it was erased,
    and a service account."""
    row = connection.execute(_NAMED, {"name": name, "erased": erased_form(secret, name)}).first()
    return UserRow._make(row) if row else None


def erased_form(secret: str, canonical_name: str) -> str:
    """Return what the row of an erased user has in place of the canonical name: the name cannot be read from
    it, and no other user can take the name."""
    return f"erased:{keyed_hash(secret, 'erased-name', canonical_name)}"


def audit_reference(connection: Connection, secret: str, text: str) -> object:
    """Return what the trail records of a filter that may be a username: the user, so that an erasure finds
    it. Of an erased user not even the id: the text may be the name that nothing shows any more."""
    user = None if is_id(text) else find_user_by_name(connection, secret, canonical(text))
    if user is None or user.kind != "person":
        return text
    return {"erased": True} if user.erased_at else {"id": user.id, "username": text}


def find_account(connection: Connection, user_id: str) -> AccountRow | None:
    """An account of either kind, deleted ones too."""
    row = connection.execute(_FIND_ACCOUNT, {"user_id": user_id}).first()
    return AccountRow._make(row) if row else None


def get_account(connection: Connection, user_id: str) -> AccountRow:
    """An account that exists."""
    return AccountRow._make(connection.execute(_FIND_ACCOUNT, {"user_id": user_id}).one())


def find_id_by_name(connection: Connection, canonical_name: str) -> str | None:
    """The id of the account that has, or had, this name."""
    return connection.execute(_FIND_ID, {"name": canonical_name}).scalar()


def ids_named(connection: Connection, account: str) -> list[str]:
    """The ids that the id or name of an account in a filter means: a name may have the form of an id."""
    named = find_id_by_name(connection, canonical(account))
    return [*([named] if named else []), *([account.lower()] if is_id(account) else [])]


def list_actors(connection: Connection, user_ids: Collection[str]) -> dict[str, tuple[str, str]]:
    """The kind and the name of these accounts, by id."""
    found: dict[str, tuple[str, str]] = {}
    for some in batched(user_ids):
        rows = connection.execute(
            select(users.c.id, users.c.kind, users.c.username).where(users.c.id.in_(some))
        )
        found.update((row.id, (row.kind, row.username)) for row in rows)
    return found


def find_ids(connection: Connection, canonical_names: Sequence[str]) -> dict[str, str]:
    """The ids of the users with these canonical names; unknown names, and service accounts, are left out."""
    found: dict[str, str] = {}
    for some in batched(canonical_names):
        named = select(users.c.username_canonical, users.c.id).where(
            users.c.username_canonical.in_(some), users.c.kind == "person"
        )
        found.update((row.username_canonical, row.id) for row in connection.execute(named))
    return found


def find_home(connection: Connection, user_id: str, kind: str) -> str | None:
    """Return the home of an account of this kind, deleted or not; None for an unknown one."""
    one = (users.c.id == user_id, users.c.kind == kind)
    return connection.execute(select(users.c.home).where(*one)).scalar()


def list_homes(connection: Connection, user_ids: Collection[str]) -> dict[str, str]:
    """The homes of these accounts, by id."""
    found: dict[str, str] = {}
    for some in batched(list(user_ids)):
        rows = connection.execute(select(users.c.id, users.c.home).where(users.c.id.in_(some)))
        found.update((row.id, row.home) for row in rows)
    return found


def find_named(connection: Connection, name: str, kind: str) -> tuple[str, str] | None:
    """Return the id and the home of the account with this name, in any case and Unicode form; None for an
    unknown one.

    ``kind`` is ``person`` or ``service``.
    """
    named = (
        users.c.username_canonical == canonical(name),
        users.c.kind == kind,
        users.c.status != "deleted",
    )
    row = connection.execute(select(users.c.id, users.c.home).where(*named)).first()
    return (row.id, row.home) if row else None
