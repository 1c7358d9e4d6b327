"""Events that are committed with their change and wait to be linked into the trail, which takes less than a
second (PostgreSQL; on SQLite always empty).

The columns are those of an event before it has a place in the chain. ``id`` is given under the lock of the
row that the event is about, so it orders events of one session as they were committed.
"""

from sqlalchemy import BigInteger, Column, Identity, String, Table, Text

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import ID, UtcDateTime

trail_outbox = Table(
    "trail_outbox",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor_type", String(16), nullable=False),
    Column("actor_id", String(64)),
    Column("actor_name", String(256)),
    Column("session_id", ID),
    Column("action", String(64), nullable=False),
    Column("target_type", String(32)),
    Column("target_id", String(256)),
    Column("target_name", String(256)),
    Column("outcome", String(16), nullable=False),
    Column("reason", Text),
    Column("before", Text),
    Column("after", Text),
    Column("ip", String(64)),
    Column("request_id", String(128)),
)
