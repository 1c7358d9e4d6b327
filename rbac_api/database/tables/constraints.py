"""Separation of duty and similar constraints: which roles may be held together, with start and end (ANSI
INCITS 359 section 5.3)."""

from sqlalchemy import CheckConstraint, Column, Integer, String, Table

from rbac_api.database.tables.metadata import home_column, index_home, metadata, unique_while_open
from rbac_api.database.types import ID, UtcDateTime

constraints = Table(
    "constraints",
    metadata,
    Column("id", ID, primary_key=True),
    Column("name", String(127), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("cardinality", Integer),  # the API's ``limit``; empty where the kind needs none
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_to", UtcDateTime),
    home_column(),
    CheckConstraint("kind IN ('static', 'dynamic', 'max-holders', 'requires')", name="kind"),
)

unique_while_open("uq_constraints_name_open", constraints.c.name, end=constraints.c.valid_to)
index_home("ix_constraints_home", constraints.c.home, constraints.c.id)
