"""Single-use tokens that let a person choose a password; only their SHA-256 is stored."""

from sqlalchemy import Column, ForeignKey, String, Table

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import ID, UtcDateTime

password_setups = Table(
    "password_setups",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user_id", ID, ForeignKey("users.id"), nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("spent_at", UtcDateTime),  # used, or overtaken by a newer one
)
