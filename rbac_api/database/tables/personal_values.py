"""Personal values of events, which an event itself has only under their digests: what erasure deletes.

A row has the values of one user in one event. Events cannot be changed; these rows can be deleted.
"""

from sqlalchemy import BigInteger, Column, Index, SmallInteger, String, Table, Text

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import ID

personal_values = Table(
    "personal_values",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),  # of the event
    Column("part", SmallInteger, primary_key=True, autoincrement=False),  # 0, 1 … in one event
    Column("user_id", ID),  # whose values they are; NULL: not known
    Column("ip", String(64)),  # the address of the request, for searches
    Column("entries", Text, nullable=False),  # canonical JSON: {place in the event: [salt, value]}
    Index("ix_personal_values_user_id", "user_id", "seq"),
    Index("ix_personal_values_ip", "ip", "seq"),
)
