"""What each key has signed: until when the tokens that were handed out with it live, whatever the settings
say by now.

A key from the settings leaves its public part here, so that its tokens are still verified after it was
replaced.
"""

from sqlalchemy import Column, String, Table, Text

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import UtcDateTime

key_uses = Table(
    "key_uses",
    metadata,
    Column("kid", String(64), primary_key=True),  # RFC 7638 thumbprint
    Column("algorithm", String(16), nullable=False),
    Column(
        "public_sealed", Text
    ),  # of a key from the settings; sealed, so that no other key can be put there
    Column("first_used_at", UtcDateTime, nullable=False),
    Column("last_used_at", UtcDateTime, nullable=False),
    Column("access_until", UtcDateTime),  # the latest `exp` of its access tokens
    Column("refresh_until", UtcDateTime),  # the latest `exp` of its refresh tokens
    Column("withdrawn_at", UtcDateTime),  # of a key from the settings: verifies no more
)
