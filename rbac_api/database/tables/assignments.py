"""Who holds which role, where, from when to when, by whom and why."""

from sqlalchemy import CheckConstraint, Column, ForeignKey, Index, Integer, String, Table, Text, text

from rbac_api.database.tables.metadata import metadata, unique_while_open
from rbac_api.database.types import ID, UtcDateTime

assignments = Table(
    "assignments",
    metadata,
    Column("id", ID, primary_key=True),
    Column("user_id", ID, ForeignKey("users.id"), nullable=False, index=True),
    Column("role_id", ID, ForeignKey("roles.id"), nullable=False),
    Column("valid_from", UtcDateTime, nullable=False, index=True),
    Column("valid_to", UtcDateTime, index=True),  # both: when did time alone change something last?
    Column("reason", Text),
    Column("assigned_by", ID),  # a user; empty when the system or the command line did it
    Column("assigned_at", UtcDateTime, nullable=False),
    Column(
        "mode", String(16), nullable=False, server_default="active"
    ),  # ``eligible`` grants nothing until activated
    Column("max_duration", Integer),  # seconds for which it may be activated at a time; empty: the setting
    # The name of a domain: it counts there and below. A name is enough, since a domain with an assignment
    # that is not over cannot be deleted, and no domain is ever renamed.
    Column("domain", String(255), nullable=False, server_default="root"),
    CheckConstraint("valid_to IS NULL OR valid_to >= valid_from", name="period"),
)

# Both columns: an index of roles alone finds everybody who holds one, also where one person is asked for.
Index("ix_assignments_role_id_user_id", assignments.c.role_id, assignments.c.user_id)
# Each has the order of the list of all assignments.
Index("ix_assignments_role_id_id", assignments.c.role_id, assignments.c.id)
Index("ix_assignments_assigned_by_id", assignments.c.assigned_by, assignments.c.id)
# Only of few rows, by a literal: every decision compares the mode, and SQLite would look all active ones up.
_ELIGIBLE = text("mode = 'eligible'")
Index("ix_assignments_eligible", assignments.c.id, sqlite_where=_ELIGIBLE, postgresql_where=_ELIGIBLE)
_LIMITED = assignments.c.valid_to.is_not(None)
Index(
    "ix_assignments_id_valid_to",
    assignments.c.id,
    assignments.c.valid_to,
    sqlite_where=_LIMITED,
    postgresql_where=_LIMITED,
)
_UNEXPLAINED = text("coalesce(reason, '') = ''")
Index(
    "ix_assignments_without_reason",
    assignments.c.id,
    sqlite_where=_UNEXPLAINED,
    postgresql_where=_UNEXPLAINED,
)
_BELOW = text("domain <> 'root'")  # few rows
Index(
    "ix_assignments_domain",
    assignments.c.domain,
    assignments.c.id,
    sqlite_where=_BELOW,
    postgresql_where=_BELOW,
)
unique_while_open(
    "uq_assignments_open",
    assignments.c.user_id,
    assignments.c.role_id,
    assignments.c.domain,
    end=assignments.c.valid_to,
)
