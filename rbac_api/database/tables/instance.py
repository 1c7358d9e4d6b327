"""What all nodes of an installation must agree on, as the first node had it: issuer, audience, and a digest
of the secret."""

from sqlalchemy import Column, String, Table, Text

from rbac_api.database.tables.metadata import metadata

instance = Table(
    "instance",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)
