"""Which permission a role holds directly, from when to when."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import ID, UtcDateTime

role_permissions = Table(
    "role_permissions",
    metadata,
    Column("id", ID, primary_key=True),
    Column("role_id", ID, ForeignKey("roles.id"), nullable=False),
    Column("permission_id", ID, ForeignKey("permissions.id"), nullable=False, index=True),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_to", UtcDateTime),
    CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="period"),
)

Index(
    "uq_role_permissions_open",
    role_permissions.c.role_id,
    role_permissions.c.permission_id,
    unique=True,
    sqlite_where=role_permissions.c.valid_to.is_(None),
    postgresql_where=role_permissions.c.valid_to.is_(None),
)
