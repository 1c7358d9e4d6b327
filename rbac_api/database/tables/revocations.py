"""Why a token that still verifies is refused, in commit order: the denylist, and the feed that detached
verifiers follow.

``kind`` is ``sid`` (a session ended), ``jti`` (one token was revoked), ``kid`` (a key was withdrawn) or
``av`` (what a user may do has changed: tokens of the user below ``minimum`` are out of date). A row is of no
more use once every token it concerns has expired, and then goes.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, UniqueConstraint

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import UtcDateTime

revocations = Table(
    "revocations",
    metadata,
    Column(
        "seq", BigInteger, primary_key=True, autoincrement=False
    ),  # given under the write lock: order of commits
    Column("kind", String(8), nullable=False),
    Column("value", String(64), nullable=False),
    Column("minimum", Integer),  # of `av` alone
    Column("revoked_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),  # of the last token it concerns
    UniqueConstraint("kind", "value"),
    Index("ix_revocations_expires_at", "expires_at"),
)
