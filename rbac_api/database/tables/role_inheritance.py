"""Which role inherits which: the senior holds everything the junior holds (ANSI INCITS 359 section 5.2), from
when to when."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Table

from rbac_api.database.tables.metadata import metadata, unique_while_open
from rbac_api.database.types import ID, UtcDateTime

role_inheritance = Table(
    "role_inheritance",
    metadata,
    Column("id", ID, primary_key=True),
    Column("senior_id", ID, ForeignKey("roles.id"), nullable=False),
    Column("junior_id", ID, ForeignKey("roles.id"), nullable=False, index=True),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_to", UtcDateTime),
    CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="period"),
)

unique_while_open(
    "uq_role_inheritance_open",
    role_inheritance.c.senior_id,
    role_inheritance.c.junior_id,
    end=role_inheritance.c.valid_to,
)
