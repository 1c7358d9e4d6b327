"""Finding accounts by what a caller wrote, and reading many of them in few statements."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from rbac_api.database.batches import batched
from rbac_api.database.periods import not_over
from rbac_api.database.session import UnitOfWork
from rbac_api.database.tables import assignments, roles, users
from rbac_api.decision.model import Assignment, Subject
from rbac_api.decision.names import canonical

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def find_account_id(work: UnitOfWork, reference: str, kind: str) -> str | None:
    """Return the id of the account that a path names, by id or by name in any case and Unicode form.

    What has the form of an id is one, and is returned without a look at the database: a name can never stand in
    for the id of another account.  ``kind`` is ``person`` or ``service``; None for an unknown name.
    """
    if _ID.fullmatch(reference):
        return reference.lower()
    if "\0" in reference:
        return None  # no database holds it, and PostgreSQL refuses to be asked
    named = (
        users.c.username_canonical == canonical(reference),
        users.c.kind == kind,
        users.c.status != "deleted",
    )
    return work.connection.execute(select(users.c.id).where(*named)).scalar()


def find_ids(connection: Connection, canonical_names: Sequence[str]) -> dict[str, str]:
    """The ids of the people with these canonical names; unknown ones, and service accounts, are not in it."""
    found: dict[str, str] = {}
    for some in batched(canonical_names):
        named = select(users.c.username_canonical, users.c.id).where(
            users.c.username_canonical.in_(some), users.c.kind == "person"
        )
        found.update((row.username_canonical, row.id) for row in connection.execute(named))
    return found


def list_subjects(
    connection: Connection, user_ids: Sequence[str], at: datetime
) -> list[tuple[Subject, str, str]]:
    """As ``find_subject``, for several: each that exists, in no particular order; people with a second factor, programs have none."""
    columns = (users.c.id, users.c.kind, users.c.username, users.c.status, users.c.password_temporary)
    found: list[tuple[Subject, str, str]] = []
    for some in batched(user_ids):
        held = _assignments(connection, some, at)
        for row in connection.execute(select(*columns).where(users.c.id.in_(some))):
            given = tuple(held.get(row.id, ()))
            person = row.kind == "person"
            subject = Subject(row.id, row.status, given, row.password_temporary, second_factor=person)
            found.append((subject, row.kind, row.username))
    return found


def _assignments(
    connection: Connection, user_ids: Sequence[str], at: datetime
) -> dict[str, list[Assignment]]:
    """What counts now or later."""
    columns = (
        assignments.c.user_id,
        roles.c.name,
        assignments.c.valid_from,
        assignments.c.valid_to,
        assignments.c.mode,
    )
    joined = assignments.join(roles, assignments.c.role_id == roles.c.id)
    counts = not_over(assignments, at)
    theirs = (assignments.c.user_id.in_(user_ids), counts, roles.c.valid_to.is_(None))
    found: dict[str, list[Assignment]] = {}
    for row in connection.execute(select(*columns).select_from(joined).where(*theirs)):
        found.setdefault(row.user_id, []).append(Assignment(row.name, row.valid_from, row.valid_to, row.mode))
    return found
