"""SQL for looking at the database itself."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, func, select, text

from rbac_api.database.tables import sessions, trail_events

# The triggers that the migrations put on the trail.
TRAIL_TRIGGERS = {
    "sqlite": frozenset({"trail_events_no_update", "trail_events_no_delete", "trail_events_no_replace"}),
    "postgresql": frozenset({"trail_events_no_change", "trail_events_no_truncate"}),
}
_PRESENT = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'trail_events'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE tgrelid = 'trail_events'::regclass AND tgenabled IN ('O', 'A')",
}


def missing_trail_triggers(connection: Connection) -> list[str]:
    """Those that keep the trail append-only and are gone, or switched off."""
    engine = connection.dialect.name
    present = connection.execute(text(_PRESENT[engine])).scalars()
    return sorted(TRAIL_TRIGGERS[engine].difference(present))


def recent_addresses(connection: Connection) -> tuple[int, list[str]]:
    """Of the newest hundred sessions that began at an address: how many users they are of, and the addresses."""
    newest = select(sessions.c.user_id, sessions.c.ip).where(sessions.c.ip.is_not(None))
    rows = connection.execute(newest.order_by(sessions.c.id.desc()).limit(100)).all()
    return len({row.user_id for row in rows}), sorted({row.ip for row in rows})


def newest_event(connection: Connection) -> int:
    """The number of the trail's last event; 0 in an empty one."""
    return int(connection.execute(select(func.coalesce(func.max(trail_events.c.seq), 0))).scalar_one())


def count_active_sessions(connection: Connection, now: datetime) -> int:
    """Sessions that did not end and whose time is not over."""
    active = (
        sessions.c.ended_at.is_(None),
        sessions.c.idle_expires_at > now,
        sessions.c.absolute_expires_at > now,
    )
    return int(connection.execute(select(func.count()).select_from(sessions).where(*active)).scalar_one())


def database_time(connection: Connection) -> datetime | None:
    """The database server's clock; None on SQLite, which has none of its own."""
    if connection.dialect.name == "sqlite":
        return None
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment


def newest_event_time(connection: Connection) -> datetime | None:
    """When the trail's last event happened."""
    return connection.execute(select(trail_events.c.at).order_by(trail_events.c.seq.desc()).limit(1)).scalar()
