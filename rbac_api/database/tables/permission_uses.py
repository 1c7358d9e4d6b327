"""How often each subject used each permission on each day (UTC): the decisions that allowed it.

``user_id`` has no reference: counts are written a minute after the decisions, and never delay what deletes or
erases a user.
"""

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, String, Table

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import ID, UtcDateTime

permission_uses = Table(
    "permission_uses",
    metadata,
    Column("user_id", ID, primary_key=True),  # a user or a service account
    Column("permission", String(200), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("second_factor", Boolean, primary_key=True),  # of the session, or of the question
    Column("times", BigInteger, nullable=False),
    Column("last_used", UtcDateTime, nullable=False),
    Index("ix_permission_uses_permission", "permission", "user_id", "day"),
    Index("ix_permission_uses_day", "day"),
    sqlite_with_rowid=False,  # the key is most of the row: stored once
)
