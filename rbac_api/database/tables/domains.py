"""The places where roles count, in a tree. A name is a path: ``acme.eu`` is in ``acme``. ``root``, which all
are in, has no row, so that nothing can remove it.

Deleting a domain ends it; its name may be used again by a new one.
"""

from sqlalchemy import Column, String, Table, Text

from rbac_api.database.tables.metadata import metadata, unique_while_open
from rbac_api.database.types import DOMAIN_PATH, ID, UtcDateTime

domains = Table(
    "domains",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", DOMAIN_PATH, nullable=False),
    Column("title", String(200)),
    Column("description", Text, nullable=False),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_to", UtcDateTime),
)

unique_while_open("uq_domains_name_open", domains.c.name, end=domains.c.valid_to)
