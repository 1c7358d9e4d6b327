"""Secrets of service accounts. An account may have several, so that one can be replaced without a pause. Only
a keyed hash is stored."""

from sqlalchemy import Column, ForeignKey, String, Table

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import ID, UtcDateTime

client_secrets = Table(
    "client_secrets",
    metadata,
    Column("id", ID, primary_key=True),
    Column("service_account_id", ID, ForeignKey("users.id"), nullable=False, index=True),
    Column("secret_hash", String(64), nullable=False, unique=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", ID),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("last_used_at", UtcDateTime),
    Column("withdrawn_at", UtcDateTime),
)
