"""SQL for the keys kept here, and for what each has signed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, case, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from rbac_api.database.tables import key_uses, signing_keys


class KeyUseRow(NamedTuple):
    """What a key has signed, and of a key from the settings its public part."""

    kid: str
    algorithm: str
    public_sealed: str | None
    first_used_at: datetime
    last_used_at: datetime
    access_until: datetime | None
    refresh_until: datetime | None
    withdrawn_at: datetime | None


class KeptKey(NamedTuple):
    """A key kept in SQL, from when it signs, and what it has signed so far."""

    kid: str
    algorithm: str
    public_jwk: str
    private_sealed: str
    created_at: datetime
    retired_at: datetime | None
    begins_at: datetime
    last_used_at: datetime | None
    access_until: datetime | None
    refresh_until: datetime | None


_KEY_USE = tuple(key_uses.c[name] for name in KeyUseRow._fields)
_EXTERNAL = or_(key_uses.c.public_sealed.is_not(None), key_uses.c.algorithm == "HS256")
_USE = (key_uses.c.last_used_at, key_uses.c.access_until, key_uses.c.refresh_until)
_BEGINS = func.coalesce(
    signing_keys.c.signs_from, signing_keys.c.created_at, type_=signing_keys.c.created_at.type
)


def list_signing_keys(connection: Connection) -> list[KeptKey]:
    """Return every key kept here that was not withdrawn, with what it has signed, in the order in which they
    sign."""
    used = signing_keys.outerjoin(key_uses, signing_keys.c.kid == key_uses.c.kid)
    found = select(*(signing_keys.c[name] for name in KeptKey._fields[:6]), _BEGINS, *_USE).select_from(used)
    order = (_BEGINS, signing_keys.c.kid)
    rows = connection.execute(found.where(signing_keys.c.withdrawn_at.is_(None)).order_by(*order))
    return [KeptKey._make(row) for row in rows]


def list_external_keys(connection: Connection) -> list[KeyUseRow]:
    """Return every key of the settings that has ever signed, including withdrawn ones."""
    rows = connection.execute(select(*_KEY_USE).where(_EXTERNAL).order_by(key_uses.c.first_used_at))
    return [KeyUseRow._make(row) for row in rows]


def find_key_use(connection: Connection, kid: str) -> KeyUseRow | None:
    """Return what a key has signed."""
    row = connection.execute(select(*_KEY_USE).where(key_uses.c.kid == kid)).first()
    return KeyUseRow._make(row) if row else None


def note_key_use(connection: Connection, row: dict[str, object]) -> None:
    """Record that a key has signed tokens that live this long; a longer time already recorded stays."""
    kit: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    adding = kit.insert(key_uses)
    latest = {
        name: case((old.is_(None), new), (new > old, new), else_=old)
        for name in ("last_used_at", "access_until", "refresh_until")
        for old, new in [(key_uses.c[name], adding.excluded[name])]
    }
    connection.execute(adding.on_conflict_do_update(index_elements=["kid"], set_=latest), row)


def withdraw_external_key(connection: Connection, kid: str, now: datetime) -> bool:
    """Stop a key of the settings from verifying; return False if it was withdrawn already."""
    mine = (_EXTERNAL, key_uses.c.kid == kid, key_uses.c.withdrawn_at.is_(None))
    return connection.execute(update(key_uses).where(*mine).values(withdrawn_at=now)).rowcount == 1
