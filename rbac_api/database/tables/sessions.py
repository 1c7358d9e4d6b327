"""One row per sign-in. A session is active while ``ended_at`` is empty and both deadlines lie ahead; nothing
sweeps."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import ID, UtcDateTime

sessions = Table(
    "sessions",
    metadata,
    Column("id", ID, primary_key=True),
    Column("user_id", ID, ForeignKey("users.id"), nullable=False),
    Column("client_id", String(128), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),  # also `auth_time`
    Column("last_seen_at", UtcDateTime, nullable=False),  # sign-in or latest refresh
    Column("idle_expires_at", UtcDateTime, nullable=False),
    Column("absolute_expires_at", UtcDateTime, nullable=False),
    Column(
        "generation", Integer, nullable=False, default=0
    ),  # of its live refresh token; orders rotations, never time
    Column(
        "amr", String(64), nullable=False, server_default="pwd"
    ),  # methods of sign-in (RFC 8176), a space between
    Column(
        "active_roles", Text
    ),  # names of the roles it was begun with, a space between; empty: all that count
    # The name of a domain: it acts there and below. Nothing is assigned at a new domain of the same name.
    Column("domain", String(255), nullable=False, server_default="root"),
    Column("client_secret_id", ID),  # which secret a service account signed in with
    Column("ip", String(64)),
    Column("user_agent", String(256)),
    Column("ended_at", UtcDateTime),
    Column("ended_by", ID),
    Column("end_reason", String(32)),
    CheckConstraint("(ended_at IS NULL) = (end_reason IS NULL)", name="end"),
    # of a program that has taken a million tokens, only those that may still be alive are looked at
    Index("ix_sessions_user_id_absolute_expires_at", "user_id", "absolute_expires_at"),
    Index("ix_sessions_created_at", "created_at"),
    Index("ix_sessions_ended_at", "ended_at"),
    Index("ix_sessions_ip", "ip", "id"),  # of an address in their order
)
