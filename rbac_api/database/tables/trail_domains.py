"""Which events concern a domain, or one in it: a row for the domain of the event and each of its ancestors
below ``root``, so that the newest events of a subtree are found in an index.

The rows follow from the events, which have the domain in what is hashed.  ``trail/recorder.py`` adds them and
never changes one.
"""

from sqlalchemy import BigInteger, Column, Table

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import DOMAIN_PATH

trail_domains = Table(
    "trail_domains",
    metadata,
    Column("domain", DOMAIN_PATH, primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
)
