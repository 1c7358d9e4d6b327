"""What a service account has beyond a user's row: it *is* a row of ``users`` (of kind ``service``), so it
holds roles as people do."""

from sqlalchemy import Column, ForeignKey, Table, Text

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import ID

service_accounts = Table(
    "service_accounts",
    metadata,
    Column("id", ID, ForeignKey("users.id"), primary_key=True),  # also its OAuth `client_id`
    Column("description", Text),
    Column("created_by", ID),  # a user; empty when the system or the command line did it
)
