"""Codes for the day the second factor is lost; each is good for once, and only a keyed hash is stored."""

from sqlalchemy import Column, ForeignKey, String, Table

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import ID, UtcDateTime

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("user_id", ID, ForeignKey("users.id"), nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("spent_at", UtcDateTime),
)
