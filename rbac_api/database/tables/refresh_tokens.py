"""Every refresh token ever issued, by ``jti``. No token text is stored: a successor is signed again from its
row."""

from sqlalchemy import Column, ForeignKey, Integer, String, Table, UniqueConstraint

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import ID, UtcDateTime

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("jti", ID, primary_key=True),
    Column("session_id", ID, ForeignKey("sessions.id"), nullable=False),
    Column("generation", Integer, nullable=False),
    Column("issued_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("spent_at", UtcDateTime),  # first use; the leeway counts from here
    Column("replaced_by", ID),
    Column("ip", String(64)),
    UniqueConstraint("session_id", "generation"),  # one successor each: a fork cannot be stored
)
