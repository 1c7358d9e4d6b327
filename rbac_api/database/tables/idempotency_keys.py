"""Answers kept for a repeated ``Idempotency-Key``. The body is sealed, because it may hold a secret that is
shown once."""

from sqlalchemy import Column, Integer, String, Table, Text

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import UtcDateTime

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("scope", String(64), primary_key=True),  # the caller: callers do not share keys
    Column("key", String(256), primary_key=True),
    Column("fingerprint", String(64), nullable=False),  # of method, path, body, and the session's domain
    Column("status", Integer, nullable=False),
    Column("location", Text),
    Column("body_sealed", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)
