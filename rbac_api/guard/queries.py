"""What the guard reads: the roles, one person, one session, the keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from rbac_api.database.batches import batched
from rbac_api.database.periods import not_over
from rbac_api.database.tables import (
    activations,
    assignments,
    client_secrets,
    idempotency_keys,
    revocations,
    roles,
    sessions,
    users,
)
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import EVERYTHING, Assignment, Role, SessionRoles, Subject
from rbac_api.guard.queries_roles import compile_graph, list_columns, session_roles

# What a request may have to read, put together once: building a statement takes longer than SQLite takes to answer it.
_ACCOUNT: Select[Any] = select(
    users.c.id,
    users.c.kind,
    users.c.username,
    users.c.status,
    users.c.password_temporary,
    users.c.authorization_version,
).where(users.c.id == bindparam("user_id"))
_ASSIGNMENTS: Select[Any] = (
    select(roles.c.name, assignments.c.valid_from, assignments.c.valid_to, assignments.c.mode)
    .select_from(assignments.join(roles, assignments.c.role_id == roles.c.id))
    .where(
        assignments.c.user_id == bindparam("user_id"),
        not_over(assignments, bindparam("at")),
        roles.c.valid_to.is_(None),
    )
)
_STANDING: Select[Any] = (
    select(
        sessions.c.user_id,
        sessions.c.ended_at,
        sessions.c.client_id,
        sessions.c.created_at,
        sessions.c.amr,
        sessions.c.active_roles,
        client_secrets.c.created_by.label("issued_by"),
        client_secrets.c.created_at.label("issued_at"),
    )
    .select_from(sessions.outerjoin(client_secrets, sessions.c.client_secret_id == client_secrets.c.id))
    .where(sessions.c.id == bindparam("session_id"))
)

_ACTIVATIONS: Select[Any] = (
    select(roles.c.name, activations.c.valid_from, activations.c.valid_to)
    .select_from(activations.join(roles, activations.c.role_id == roles.c.id))
    .where(
        activations.c.session_id == bindparam("session_id"),
        activations.c.valid_to > bindparam("at"),
        roles.c.valid_to.is_(None),
    )
    .order_by(activations.c.id)
)


def find_role_graph(connection: Connection) -> RoleGraph:
    """All roles in force, compiled."""
    rows = list_columns(connection, _open, roles, "id", "name", "grants", "requires_mfa")
    found = {row.id: Role(row.name, grants=row.grants, requires_mfa=row.requires_mfa) for row in rows}
    return compile_graph(connection, _open, found)


def _open(table: Table) -> ColumnElement[bool]:
    """Nobody has ended it, and roles and what they hold end only so."""
    return table.c.valid_to.is_(None)


def find_subject(
    connection: Connection,
    user_id: str,
    at: datetime,
    *,
    second_factor: bool = False,
    roles: SessionRoles = EVERYTHING,
) -> tuple[Subject, str, str] | None:
    """Somebody as decisions see her, with assignments that count now or later, her kind (``person``, ``service``) and her name."""
    user = connection.execute(_ACCOUNT, {"user_id": user_id}).first()
    if user is None:
        return None
    return _subject(connection, user, at, (second_factor, roles)), user.kind, user.username


def get_subject(
    connection: Connection,
    user_id: str,
    at: datetime,
    *,
    second_factor: bool = False,
    roles: SessionRoles = EVERYTHING,
) -> Subject:
    """The same, for somebody who is known to exist (a session or an account of hers was just read)."""
    return get_versioned_subject(connection, user_id, at, second_factor=second_factor, roles=roles)[0]


def get_versioned_subject(
    connection: Connection, user_id: str, at: datetime, *, second_factor: bool, roles: SessionRoles
) -> tuple[Subject, int]:
    """The same with ``av``: how often what she may do was changed."""
    account = connection.execute(_ACCOUNT, {"user_id": user_id}).one()
    return _subject(connection, account, at, (second_factor, roles)), account.authorization_version


def _subject(
    connection: Connection, user: Row[Any], at: datetime, profile: tuple[bool, SessionRoles]
) -> Subject:
    held = tuple(
        Assignment(row.name, row.valid_from, row.valid_to, row.mode)
        for row in connection.execute(_ASSIGNMENTS, {"user_id": user.id, "at": at})
    )
    return Subject(user.id, user.status, held, user.password_temporary, *profile)


def list_roles_of(connection: Connection, user_ids: Sequence[str], at: datetime) -> dict[str, frozenset[str]]:
    """The roles that these users hold directly, now or later; who holds none is not in it."""
    counts = not_over(assignments, at)
    joined = assignments.join(roles, assignments.c.role_id == roles.c.id)
    held = (
        select(assignments.c.user_id, roles.c.name)
        .select_from(joined)
        .where(counts, roles.c.valid_to.is_(None))
    )
    found: dict[str, set[str]] = {}
    for some in batched(user_ids):
        for row in connection.execute(held.where(assignments.c.user_id.in_(some))):
            found.setdefault(row.user_id, set()).add(row.name)
    return {user_id: frozenset(names) for user_id, names in found.items()}


def find_session_standing(connection: Connection, session_id: str) -> Row[Any] | None:
    """Whose session it is, whether it was ended, and how it began."""
    return connection.execute(_STANDING, {"session_id": session_id}).first()


def find_session_roles(
    connection: Connection, session_id: str, active_roles: str | None, at: datetime
) -> SessionRoles:
    """The roles that a session was begun with (its row says which), and what was activated in it and is not over."""
    rows = connection.execute(_ACTIVATIONS, {"session_id": session_id, "at": at}).all()
    return session_roles(active_roles, rows)


def list_administrators(
    connection: Connection, role_names: frozenset[str], at: datetime
) -> list[tuple[str, Assignment]]:
    """Assignments of these roles to enabled users who can sign in, with their ids: those that keep the service governable."""
    joined = assignments.join(roles, assignments.c.role_id == roles.c.id).join(
        users, assignments.c.user_id == users.c.id
    )
    able = and_(
        users.c.status == "active", users.c.password_hash.is_not(None), assignments.c.mode == "active"
    )
    counts = not_over(assignments, at)
    columns = (assignments.c.user_id, roles.c.name, assignments.c.valid_from, assignments.c.valid_to)
    query = (
        select(*columns)
        .select_from(joined)
        .where(able, counts, roles.c.name.in_(role_names), roles.c.valid_to.is_(None))
    )
    return [
        (row.user_id, Assignment(row.name, row.valid_from, row.valid_to)) for row in connection.execute(query)
    ]


def find_answer(connection: Connection, scope: str, key: str, now: datetime) -> Row[Any] | None:
    """What was answered to a caller's request under this Idempotency-Key, unless it is too old."""
    table = idempotency_keys
    mine = (table.c.scope == scope, table.c.key == key, table.c.expires_at > now)
    return connection.execute(select(table).where(*mine)).first()


def add_answer(connection: Connection, values: dict[str, Any]) -> None:
    connection.execute(insert(idempotency_keys).values(values))


def clear_answers(connection: Connection, scope: str, location: str) -> None:
    columns = idempotency_keys.c
    connection.execute(delete(idempotency_keys).where(columns.scope == scope, columns.location == location))


def clear_old_answers(connection: Connection, now: datetime) -> int:
    return connection.execute(delete(idempotency_keys).where(idempotency_keys.c.expires_at <= now)).rowcount


def newest_revocation_seq(connection: Connection) -> int:
    """How far the denylist goes; 0 if it is empty."""
    return connection.execute(select(func.max(revocations.c.seq))).scalar() or 0


def add_revocations(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Append them in one go; what is denied already moves to the end, and lasts for as long as the later of the two says."""
    kit: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    adding = kit.insert(revocations)
    new, old = adding.excluded, revocations.c
    later = case((new.expires_at > old.expires_at, new.expires_at), else_=old.expires_at)
    moved = {"seq": new.seq, "minimum": new.minimum, "revoked_at": new.revoked_at, "expires_at": later}
    connection.execute(adding.on_conflict_do_update(index_elements=["kind", "value"], set_=moved), rows)


def prune_revocations(connection: Connection, now: datetime) -> None:
    """Away with what concerns no living token; never the newest, from which the next one's number follows."""
    newest = select(func.max(revocations.c.seq)).scalar_subquery()
    outdated = delete(revocations).where(revocations.c.expires_at <= now, revocations.c.seq < newest)
    connection.execute(outdated)


def list_denied_tokens(connection: Connection, now: datetime) -> frozenset[str]:
    """The ``jti`` of every token that was revoked by itself and might still be alive."""
    denied = select(revocations.c.value).where(revocations.c.kind == "jti", revocations.c.expires_at > now)
    return frozenset(connection.execute(denied).scalars())


def find_newest_revocation(connection: Connection) -> Row[Any] | None:
    return connection.execute(select(revocations).order_by(revocations.c.seq.desc()).limit(1)).first()


def find_revocation(connection: Connection, seq: int) -> Row[Any] | None:
    return connection.execute(select(revocations).where(revocations.c.seq == seq)).first()


def list_live_revocations(connection: Connection, after: int, now: datetime) -> list[Row[Any]]:
    """What still concerns somebody, in the order of commits."""
    live = (revocations.c.seq > after, revocations.c.expires_at > now)
    return list(connection.execute(select(revocations).where(*live).order_by(revocations.c.seq)))
