"""SQL for reading the trail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, or_, select

from rbac_api.database.tables import trail_events as events


def find_event(connection: Connection, seq: int) -> Row[Any] | None:
    return connection.execute(select(events).where(events.c.seq == seq)).first()


def list_events(
    connection: Connection, conditions: list[ColumnElement[bool]], after: tuple[Any, ...] | None, limit: int
) -> list[Row[Any]]:
    """Newest first."""
    query = select(events).where(*conditions).order_by(events.c.seq.desc()).limit(limit)
    return list(connection.execute(query.where(events.c.seq < after[0]) if after else query))


def count_events(connection: Connection, conditions: list[ColumnElement[bool]]) -> int:
    return connection.execute(select(func.count()).select_from(events).where(*conditions)).scalar_one()


def newest_event(connection: Connection) -> int:
    return connection.execute(select(func.coalesce(func.max(events.c.seq), 0))).scalar_one()


def stream_events(
    connection: Connection, conditions: list[ColumnElement[bool]]
) -> Iterator[Mapping[str, Any]]:
    """Oldest first, a few hundred at a time in memory; the connection must be a streaming one."""
    for row in connection.execute(select(events).where(*conditions).order_by(events.c.seq)):
        yield row._mapping


def matching(filters: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """The conditions of a list's filters: actor and target by id or name at the time."""
    found: list[ColumnElement[bool]] = []
    if actor := filters.get("actor"):
        found.append(or_(events.c.actor_id == actor, events.c.actor_name == actor))
    if target := filters.get("target"):
        found.append(or_(events.c.target_id == target, events.c.target_name == target))
    for name in ("action", "outcome"):
        if value := filters.get(name):
            found.append(events.c[name] == value)
    if after := filters.get("after"):
        found.append(events.c.at > after)
    if before := filters.get("before"):
        found.append(events.c.at < before)
    return found
