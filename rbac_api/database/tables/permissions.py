"""What can be allowed, such as ``invoices:approve``. Deleting one ends it; its name may be used again by a
new one.

Of names that differ by case alone one is in force at a time: ``FOLDED`` in ``database.folding``.
"""

from sqlalchemy import Boolean, Column, String, Table, Text

from rbac_api.database.tables.metadata import metadata, unique_while_open
from rbac_api.database.types import ID, UtcDateTime

permissions = Table(
    "permissions",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("title", String(200)),  # the name that another system knows it by
    Column("description", Text, nullable=False),
    Column("system", Boolean, nullable=False, default=False),  # this service's own: cannot be deleted
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_to", UtcDateTime),
)

unique_while_open("uq_permissions_name_open", permissions.c.name, end=permissions.c.valid_to)
