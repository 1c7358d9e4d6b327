"""Incidents: a refresh token used twice, an ended token still in use, an account locked. Each row has both
clients."""

from sqlalchemy import CheckConstraint, Column, Index, Integer, String, Table, Text

from rbac_api.database.tables.metadata import metadata, unique_while_open
from rbac_api.database.types import ID, UtcDateTime

incidents = Table(
    "incidents",
    metadata,
    Column("id", ID, primary_key=True),
    Column("type", String(32), nullable=False),
    Column(
        "subject", String(64), nullable=False
    ),  # the session or account it is about: one open incident each
    Column("user_id", ID),
    Column("session_id", ID),
    Column("opened_at", UtcDateTime, nullable=False),
    Column("occurrences", Integer, nullable=False, default=1),
    Column("rightful_ip", String(64)),  # who was there first
    Column("rightful_user_agent", String(256)),
    Column("rightful_at", UtcDateTime),
    Column("other_ip", String(64)),  # who came with what was spent, dead or guessed
    Column("other_user_agent", String(256)),
    Column("other_at", UtcDateTime, nullable=False),
    Column("closed_at", UtcDateTime),
    Column("closed_by", ID),
    Column("close_reason", Text),
    CheckConstraint("(closed_at IS NULL) = (close_reason IS NULL)", name="closing"),
    Index("ix_incidents_opened_at", "opened_at"),
)

unique_while_open("uq_incidents_open", incidents.c.type, incidents.c.subject, end=incidents.c.closed_at)
