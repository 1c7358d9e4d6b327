"""The roles of a constraint, in its order. With ``requires``, the first may be held only with the others.
They never change."""

from sqlalchemy import Column, ForeignKey, Integer, Table, UniqueConstraint

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import ID

constraint_roles = Table(
    "constraint_roles",
    metadata,
    Column("constraint_id", ID, ForeignKey("constraints.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("role_id", ID, ForeignKey("roles.id"), nullable=False, index=True),
    UniqueConstraint("constraint_id", "role_id"),
)
