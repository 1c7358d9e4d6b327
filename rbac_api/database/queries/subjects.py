"""Reads accounts as decisions see them: each with the assignments that count now or later.

A subject has them by where they count (``decision.domains``); strength counts those at all domains.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from rbac_api.database.engine import batched
from rbac_api.database.queries.users import ACCOUNT, AccountRow, find_account, get_account
from rbac_api.database.tables import assignments, roles, users
from rbac_api.database.validity import not_over
from rbac_api.decision.evaluate import holding
from rbac_api.decision.model import EVERYTHING, Assignment, SessionRoles, Subject

_ASSIGNMENT = (
    roles.c.name, assignments.c.valid_from, assignments.c.valid_to, assignments.c.mode, assignments.c.domain,
)  # fmt: skip
_JOINED = assignments.join(roles, assignments.c.role_id == roles.c.id)
_LIST_ASSIGNMENTS = (
    select(*_ASSIGNMENT)
    .select_from(_JOINED)
    .where(
        assignments.c.user_id == bindparam("user_id"),
        not_over(assignments, bindparam("at")),
        roles.c.valid_to.is_(None),
    )
)


def list_assignments(connection: Connection, user_id: str, at: datetime) -> list[Assignment]:
    """The assignments of an account that count at that moment or later, at all domains."""
    return [Assignment(*row) for row in connection.execute(_LIST_ASSIGNMENTS, {"user_id": user_id, "at": at})]


def list_roles_of(
    connection: Connection, user_ids: Sequence[str], at: datetime
) -> dict[str, dict[str, frozenset[str]]]:
    """The roles that these users hold directly, now or later, by domain; a user without any is left out."""
    counts = (not_over(assignments, at), roles.c.valid_to.is_(None))
    columns = (assignments.c.user_id, assignments.c.domain, roles.c.name)
    held = select(*columns).select_from(_JOINED).where(*counts)
    found: dict[str, dict[str, set[str]]] = {}
    for some in batched(user_ids):
        for row in connection.execute(held.where(assignments.c.user_id.in_(some))):
            found.setdefault(row.user_id, {}).setdefault(row.domain, set()).add(row.name)
    return {
        user_id: {domain: frozenset(names) for domain, names in places.items()}
        for user_id, places in found.items()
    }


def find_subject(
    connection: Connection,
    user_id: str,
    at: datetime,
    *,
    second_factor: bool = False,
    roles: SessionRoles = EVERYTHING,
) -> tuple[Subject, str, str] | None:
    """The account as decisions at ``root`` see it, with assignments that count now or later, its kind
    (``person``, ``service``) and its name."""
    account = find_account(connection, user_id)
    if account is None:
        return None
    subject = subject_of(connection, account, at, second_factor=second_factor, roles=roles)
    return subject, account.kind, account.username


def get_subject(
    connection: Connection,
    user_id: str,
    at: datetime,
    *,
    second_factor: bool = False,
    roles: SessionRoles = EVERYTHING,
) -> Subject:
    """The same, for an account that is known to exist (it, or one of its sessions, was just read)."""
    return subject_of(
        connection, get_account(connection, user_id), at, second_factor=second_factor, roles=roles
    )


def subject_of(
    connection: Connection, account: AccountRow, at: datetime, *, second_factor: bool, roles: SessionRoles
) -> Subject:
    """The same, for an account that was read in this transaction."""
    held = list_assignments(connection, account.id, at)
    bare = Subject(
        account.id, account.status, (), account.password_temporary, second_factor, roles, home=account.home
    )
    return holding(bare, held)


def list_subjects(
    connection: Connection, user_ids: Sequence[str], at: datetime
) -> list[tuple[Subject, str, str]]:
    """As ``find_subject``, for several accounts: each that exists, in no particular order.

    Users count with a second factor; service accounts have none.
    """
    found: list[tuple[Subject, str, str]] = []
    for some in batched(user_ids):
        held = list_assignments_of(connection, some, at)
        for row in connection.execute(select(*ACCOUNT).where(users.c.id.in_(some))):
            account = AccountRow._make(row)
            person = account.kind == "person"
            bare = Subject(
                account.id, account.status, (), account.password_temporary, person, home=account.home
            )
            subject = holding(bare, held.get(account.id, ()))
            found.append((subject, account.kind, account.username))
    return found


def list_assignments_of(
    connection: Connection, user_ids: list[str], at: datetime
) -> dict[str, list[Assignment]]:
    """As ``list_assignments``, for a few accounts, by id; an account without assignments is left out."""
    counts = (not_over(assignments, at), roles.c.valid_to.is_(None))
    held = select(assignments.c.user_id, *_ASSIGNMENT).select_from(_JOINED).where(*counts)
    found: dict[str, list[Assignment]] = {}
    for user_id, *rest in connection.execute(held.where(assignments.c.user_id.in_(user_ids))):
        found.setdefault(user_id, []).append(Assignment(*rest))
    return found
