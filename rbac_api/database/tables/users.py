"""People. A deleted user stays as a tombstone with the username alone, so that neither id nor username is
given out again."""

from sqlalchemy import Boolean, CheckConstraint, Column, Index, Integer, String, Table, Text, text

from rbac_api.database.tables.metadata import home_column, index_home, metadata
from rbac_api.database.types import ID, UtcDateTime

_SERVICE = text("kind = 'service'")
users = Table(
    "users",
    metadata,
    Column("id", ID, primary_key=True),
    Column("username", String(256), nullable=False),  # as typed, for display
    Column("username_canonical", String(1024), nullable=False, unique=True),  # NFKC, case-folded, trimmed
    Column("email", String(320)),
    Column("email_canonical", String(1024)),
    Column("display_name", String(256)),
    Column(
        "search_text", Text, nullable=False, server_default=""
    ),  # name, mail and display name without case and accents
    Column("kind", String(16), nullable=False, server_default="person"),  # or `service`: a service account
    Column("status", String(16), nullable=False),
    Column("password_hash", String(128)),
    Column("password_temporary", Boolean, nullable=False, default=False),  # chosen by another user
    Column("password_changed_at", UtcDateTime),
    Column("version", Integer, nullable=False, default=1),  # of the row and its roles; part of the ETag
    Column("authorization_version", Integer, nullable=False, default=1),  # `av` in tokens
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("last_login_at", UtcDateTime),
    Column("deleted_at", UtcDateTime),
    Column("erased_at", UtcDateTime),  # the names are not here any more, nor values in events
    home_column(),
    CheckConstraint("status IN ('active', 'disabled', 'deleted')", name="status"),
    Index("ix_users_email_canonical", "email_canonical"),
    Index("ix_users_created_at", "created_at", "id"),  # both: in the order of a sorted list
    Index("ix_users_last_login_at", "last_login_at", "id"),
    Index("ix_users_service", "username_canonical", sqlite_where=_SERVICE, postgresql_where=_SERVICE),
)
index_home("ix_users_home", users.c.home, users.c.id)
