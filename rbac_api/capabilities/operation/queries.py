"""SQL that examines the database itself."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, select, text

from rbac_api.database.tables import sessions

# The triggers that the migrations put on the trail.
TRAIL_TRIGGERS = {
    "sqlite": frozenset({"trail_events_no_update", "trail_events_no_delete", "trail_events_no_replace"}),
    "postgresql": frozenset({"trail_events_no_change", "trail_events_no_truncate"}),
}
_PRESENT = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'trail_events'",
    "postgresql": (
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'trail_events'::regclass AND tgenabled IN ('O', 'A')"
    ),
}


def missing_trail_triggers(connection: Connection) -> list[str]:
    """The triggers that keep the trail append-only and are missing or disabled."""
    engine = connection.dialect.name
    present = connection.execute(text(_PRESENT[engine])).scalars()
    return sorted(TRAIL_TRIGGERS[engine].difference(present))


def recent_addresses(connection: Connection) -> tuple[int, list[str]]:
    """Of the newest hundred sessions that began at an address: how many users they belong to, and the
    addresses."""
    newest = select(sessions.c.user_id, sessions.c.ip).where(sessions.c.ip.is_not(None))
    rows = connection.execute(newest.order_by(sessions.c.id.desc()).limit(100)).all()
    return len({row.user_id for row in rows}), sorted({row.ip for row in rows})


def database_time(connection: Connection) -> datetime | None:
    """The database server's clock; None on SQLite, which has none of its own."""
    if connection.dialect.name == "sqlite":
        return None
    moment: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return moment
