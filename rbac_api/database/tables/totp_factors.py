"""Second factors (RFC 6238). The shared secret is sealed with the instance secret; ``last_step`` makes each
code good for once."""

from sqlalchemy import BigInteger, Column, ForeignKey, Table, Text

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import ID, UtcDateTime

totp_factors = Table(
    "totp_factors",
    metadata,
    Column("user_id", ID, ForeignKey("users.id"), primary_key=True),
    Column("secret_sealed", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("confirmed_at", UtcDateTime),  # it counts from here on
    Column("last_step", BigInteger),
)
