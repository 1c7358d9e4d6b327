"""What a search reads of accounts that were not deleted. Triggers of revision 0017 keep it as ``users`` is.

It is apart from ``users`` because a row there is written at each sign-in, and with it every index entry of it
on PostgreSQL. The indexes of trigrams are not part of the tables' metadata: each engine has its own form of
them (``database/text_search.py``).
"""

from sqlalchemy import Column, ForeignKey, Integer, String, Table, Text

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import ID

user_search = Table(
    "user_search",
    metadata,
    Column("number", Integer, primary_key=True),  # by which SQLite's index refers to a row; never given twice
    Column("user_id", ID, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, unique=True),
    Column("name", String(1024), nullable=False),  # the canonical username, which is the order of the list
    Column("text", Text, nullable=False),  # ``search_text`` and two line ends: a trigram begins everywhere
    sqlite_autoincrement=True,
)
