"""Roles made active in one session beyond those it began with, with start and end (ANSI INCITS 359 section
6.1.2, AddActiveRole)."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Table, Text

from rbac_api.database.tables.metadata import metadata
from rbac_api.database.types import ID, UtcDateTime

activations = Table(
    "activations",
    metadata,
    Column("id", ID, primary_key=True),
    Column("session_id", ID, ForeignKey("sessions.id"), nullable=False),
    Column("user_id", ID, ForeignKey("users.id"), nullable=False, index=True),
    Column("role_id", ID, ForeignKey("roles.id"), nullable=False, index=True),
    Column("valid_from", UtcDateTime, nullable=False),
    Column("valid_to", UtcDateTime, nullable=False),  # its deadline; earlier once it was dropped
    Column("reason", Text),
    CheckConstraint("valid_to >= valid_from", name="period"),
    Index("ix_activations_session_id_valid_to", "session_id", "valid_to"),
)
