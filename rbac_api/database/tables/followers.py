"""Workers on PostgreSQL that keep the present state in memory: whoever changes it waits for each (see ``database/freshness.py``)."""

from sqlalchemy import Column, String, Table

from rbac_api.database.tables.metadata import metadata

followers = Table("followers", metadata, Column("name", String(40), primary_key=True))  # one per connection
