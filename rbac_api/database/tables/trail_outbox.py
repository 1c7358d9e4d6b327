"""Events that are committed with their change and wait to be linked into the trail, which takes less than a
second (PostgreSQL; on SQLite always empty).

The columns are those of an event before it has a place in the chain. ``id`` is given under the lock of the
row that the event is about, so it orders events of one session as they were committed.
"""

from sqlalchemy import BigInteger, Column, Identity, Table, Text

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.tables.trail_events import event_columns

trail_outbox = Table(
    "trail_outbox",
    metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    *event_columns(),
    Column("personal_values", Text),  # JSON: rows of ``personal_values`` without the event's number
    Column("decision", Text),  # JSON: a row of ``decisions`` without the event's number, of a refusal
)
