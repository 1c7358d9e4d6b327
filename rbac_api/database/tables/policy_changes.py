"""What each application of a policy document changed, as operations in their order, so that it can be undone
as a whole."""

from sqlalchemy import BigInteger, Column, ForeignKey, String, Table, Text

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import UtcDateTime

policy_changes = Table(
    "policy_changes",
    metadata,
    # of the ``policy.applied`` event
    Column("seq", BigInteger, ForeignKey("trail_events.seq"), primary_key=True, autoincrement=False),
    Column("at", UtcDateTime, nullable=False),
    Column("hash", String(64), nullable=False),  # SHA-256 of the canonical form of what was to be changed
    Column("changes", Text, nullable=False),  # canonical JSON
    Column("reverted_by", BigInteger),  # ``seq`` of the event that undid it
)
