"""SQL for reading the trail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, cast, exists, func, or_, select

from rbac_api.database.filters import bounded_count
from rbac_api.database.queries.trail import EVENT, EventRow
from rbac_api.database.queries.users import find_id_by_name
from rbac_api.database.tables import personal_values
from rbac_api.database.tables import trail_events as events
from rbac_api.decision.names import canonical


def find_event(connection: Connection, seq: int) -> EventRow | None:
    row = connection.execute(select(*EVENT).where(events.c.seq == seq)).first()
    return EventRow._make(row) if row else None


def list_events(
    connection: Connection,
    conditions: list[ColumnElement[bool]],
    after: tuple[object, ...] | None,
    limit: int,
) -> list[EventRow]:
    """Events, newest first."""
    query = select(*EVENT).where(*conditions).order_by(events.c.seq.desc()).limit(limit)
    rows = connection.execute(query.where(events.c.seq < after[0]) if after else query)
    return [EventRow._make(row) for row in rows]


def list_onward(
    connection: Connection, conditions: list[ColumnElement[bool]], last: int, limit: int
) -> list[EventRow]:
    """Events, oldest first, after the event ``last``."""
    query = select(*EVENT).where(events.c.seq > last, *conditions).order_by(events.c.seq).limit(limit)
    return [EventRow._make(row) for row in connection.execute(query)]


def count_listed(connection: Connection, conditions: list[ColumnElement[bool]]) -> int:
    """The number of events for a list, up to the bound of its total."""
    return bounded_count(connection, select(events.c.seq).where(*conditions))


def count_events(connection: Connection, conditions: list[ColumnElement[bool]]) -> int:
    return connection.execute(select(func.count()).select_from(events).where(*conditions)).scalar_one()


def up_to(seq: int) -> ColumnElement[bool]:
    """Condition: events up to this one."""
    return events.c.seq <= seq


def stream_chain(connection: Connection) -> Iterator[EventRow]:
    """Every event, oldest first, in the form that verification hashes, without trust in the row. Needs a
    streaming connection.

    SQLite stores any value in any column. So there each column is read as bytes: an invalid time, or text
    that is not UTF-8, must not stop the walk before it has named the row.
    """
    raw = connection.dialect.name == "sqlite"
    columns = [cast(c, LargeBinary) if raw and c.name != "seq" else c for c in EVENT]
    with connection.execute(select(*columns).order_by(events.c.seq)) as rows:
        for row in map(EventRow._make, rows):
            stored = zip(EventRow._fields, row, strict=True)
            yield EventRow._make(v if n == "seq" else _hashed(n, v) for n, v in stored) if raw else row


def _hashed(name: str, stored: Any) -> object:
    """The value as it was hashed; what cannot be text becomes something that matches no hash."""
    if stored is None:
        return None
    try:
        text = stored.decode()
    except UnicodeDecodeError:
        return {"bytes": stored.hex()}
    if name == "at":
        return text.replace(" ", "T") + "Z"
    if name == "session_id":
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
    return text


def matching(connection: Connection, filters: Mapping[str, object]) -> list[ColumnElement[bool]]:
    """The conditions of a list's filters: actor and target by id or name at the time."""
    found: list[ColumnElement[bool]] = []
    if actor := filters.get("actor"):
        found.append(_is_by(connection, str(actor)))
    if target := filters.get("target"):
        found.append(_is_about(connection, str(target)))
    found += [events.c[name] == filters[name] for name in ("action", "outcome") if filters.get(name)]
    if after := filters.get("after"):
        found.append(events.c.at > after)
    if before := filters.get("before"):
        found.append(events.c.at < before)
    return found


def _is_by(connection: Connection, actor: str) -> ColumnElement[bool]:
    """A username never changes, so a user's events are found by the id."""
    named = find_id_by_name(connection, canonical(actor))
    if named:
        return events.c.actor_id.in_((named, actor))
    return or_(events.c.actor_id == actor, events.c.actor_name == actor)


def _is_about(connection: Connection, target: str) -> ColumnElement[bool]:
    """The events about a session or a token of a user have the user's name, which is not in the event
    itself."""
    named = find_id_by_name(connection, canonical(target))
    if not named:
        return or_(events.c.target_id == target, events.c.target_name == target)
    names_them = (
        personal_values.c.seq == events.c.seq,
        personal_values.c.user_id == named,
        personal_values.c.entries.contains('"/target/name":'),
    )
    about = exists(select(1).where(*names_them))
    return or_(events.c.target_id.in_((named, target)), events.c.target_name == target, about)
