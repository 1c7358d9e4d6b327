"""Roles. Deleting one ends it. A later role of the same name is another role and has no holders.

Of names that differ by case alone one is in force at a time: ``FOLDED`` in ``database.folding``.
"""

from sqlalchemy import Boolean, CheckConstraint, Column, Integer, String, Table, Text, false

from rbac_api.database.tables.metadata import home_column, index_home, metadata, unique_while_open
from rbac_api.database.types import ID, UtcDateTime

roles = Table(
    "roles",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", String(127), nullable=False),
    Column("title", String(200)),  # the name that another system knows it by
    Column("description", Text, nullable=False, default=""),
    Column("system", Boolean, nullable=False, default=False),
    # listed: what role_permissions says; all: every permission, also later ones; reads: every `:read` of this
    # service
    Column("grants", String(8), nullable=False, default="listed"),
    Column(
        "requires_mfa", Boolean, nullable=False, server_default=false()
    ),  # counts only in sessions with a second factor
    Column("version", Integer, nullable=False, default=1),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("valid_to", UtcDateTime),
    home_column(),
    CheckConstraint("grants IN ('listed', 'all', 'reads')", name="grants"),
)

unique_while_open("uq_roles_name_open", roles.c.name, end=roles.c.valid_to)
index_home("ix_roles_home", roles.c.home, roles.c.id)
