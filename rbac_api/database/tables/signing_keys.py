"""Keys that sign tokens. The private part is sealed with the instance secret."""

from sqlalchemy import Column, String, Table, Text

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import UtcDateTime

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", String(64), primary_key=True),  # RFC 7638 thumbprint
    Column("algorithm", String(16), nullable=False),
    Column("public_jwk", Text, nullable=False),
    Column("private_sealed", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime),  # signs no more; verifies until its last token has expired
    Column("withdrawn_at", UtcDateTime),  # verifies no more
    Column("signs_from", UtcDateTime),  # published before that; NULL: since it was made
)
