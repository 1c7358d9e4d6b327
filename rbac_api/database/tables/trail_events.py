"""The trail: append-only, totally ordered, hash-chained. ``before`` and ``after`` are canonical JSON text,
because they are hashed.

The revision ``trail_filters`` also makes an index of the roles that events name (``trail/named_role.py``).
"""

from typing import Any

from sqlalchemy import BigInteger, Column, Index, String, Table, Text, text

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import DOMAIN_PATH, ID, UtcDateTime

_READING = text("action = 'audit.read'")
_NAMED_ACTOR = text("actor_name IS NOT NULL")  # not a user, whose name is beside the event
_NAMED_TARGET = text("target_name IS NOT NULL")
_RARE_OUTCOME = text("outcome <> 'success'")
_WITH_IP = text("ip IS NOT NULL")  # as before there was erasure


def event_columns() -> tuple[Column[Any], ...]:
    """Return the columns of an event, new ones for one table; ``trail_outbox`` has the same."""
    return (
        Column("at", UtcDateTime, nullable=False),
        Column("actor_type", String(16), nullable=False),
        Column("actor_id", String(64)),
        Column("actor_name", String(256)),
        Column("session_id", ID),
        Column("action", String(64), nullable=False),
        Column("target_type", String(32)),
        Column("target_id", String(256)),
        Column("target_name", String(256)),
        Column("outcome", String(16), nullable=False),
        Column("reason", Text),
        Column("before", Text),
        Column("after", Text),
        Column("ip", String(64)),
        Column("request_id", String(128)),
        Column("personal", Text),  # canonical JSON: {place: digest of the personal value}; hashed too
        Column("domain", DOMAIN_PATH),  # which it concerns; none: ``root``
    )


trail_events = Table(
    "trail_events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    *event_columns(),
    Column("prev_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_trail_events_actor_id", "actor_id", "seq"),
    Index("ix_trail_events_target_id", "target_id", "seq"),
    Index(
        "ix_trail_events_actor_name",
        "actor_name",
        "seq",
        sqlite_where=_NAMED_ACTOR,
        postgresql_where=_NAMED_ACTOR,
    ),
    Index(
        "ix_trail_events_target_name",
        "target_name",
        "seq",
        sqlite_where=_NAMED_TARGET,
        postgresql_where=_NAMED_TARGET,
    ),
    Index("ix_trail_events_action", "action", "seq"),
    Index(
        "ix_trail_events_outcome",
        "outcome",
        "seq",
        sqlite_where=_RARE_OUTCOME,
        postgresql_where=_RARE_OUTCOME,
    ),
    Index("ix_trail_events_at", "at"),
    Index("ix_trail_events_ip", "ip", "seq", sqlite_where=_WITH_IP, postgresql_where=_WITH_IP),
    Index("ix_trail_events_session_id", "session_id", "seq"),
    Index("ix_trail_events_request_id", "request_id", "seq"),
    Index("ix_trail_events_reading", "actor_id", "at", sqlite_where=_READING, postgresql_where=_READING),
)
