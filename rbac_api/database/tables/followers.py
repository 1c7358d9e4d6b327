"""Workers on PostgreSQL that keep the current state in memory. A writer waits for each of them
(``database/freshness.py``)."""

from sqlalchemy import Column, String, Table

from rbac_api.database.tables.metadata import metadata

followers = Table("followers", metadata, Column("name", String(40), primary_key=True))  # one per connection
