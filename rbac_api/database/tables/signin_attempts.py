"""Failed sign-ins per canonical name, known or not; the name is kept as a keyed digest, since people type
passwords there."""

from sqlalchemy import Column, Integer, String, Table

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import UtcDateTime

signin_attempts = Table(
    "signin_attempts",
    metadata,
    Column("name_digest", String(64), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("last_failed_at", UtcDateTime, nullable=False),
    Column("blocked_until", UtcDateTime, index=True),
)
