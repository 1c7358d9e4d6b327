"""Lists of assignments and users are read from indexes in the order of the list.

Revision 0015, after 0014.  Ids follow the column of each index, so that a page continues where the last one
ended, however many rows have the same value.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_ELIGIBLE = sa.text("mode = 'eligible'")
_LIMITED = sa.text("valid_to IS NOT NULL")
_UNEXPLAINED = sa.text("coalesce(reason, '') = ''")


def upgrade() -> None:
    op.create_index("ix_assignments_role_id_id", "assignments", ["role_id", "id"])
    op.create_index("ix_assignments_assigned_by_id", "assignments", ["assigned_by", "id"])
    op.create_index(
        "ix_assignments_eligible", "assignments", ["id"], sqlite_where=_ELIGIBLE, postgresql_where=_ELIGIBLE
    )
    op.create_index(
        "ix_assignments_id_valid_to", "assignments", ["id", "valid_to"], sqlite_where=_LIMITED,
        postgresql_where=_LIMITED,
    )  # fmt: skip
    op.create_index(
        "ix_assignments_without_reason", "assignments", ["id"], sqlite_where=_UNEXPLAINED,
        postgresql_where=_UNEXPLAINED,
    )  # fmt: skip
    op.drop_index("ix_users_created_at", "users")
    op.create_index("ix_users_created_at", "users", ["created_at", "id"])
    op.create_index("ix_users_last_login_at", "users", ["last_login_at", "id"])


def downgrade() -> None:
    """Nothing is lost by it."""
    op.drop_index("ix_users_last_login_at", "users")
    op.drop_index("ix_users_created_at", "users")
    op.create_index("ix_users_created_at", "users", ["created_at"])
    op.drop_index("ix_assignments_without_reason", "assignments")
    op.drop_index("ix_assignments_id_valid_to", "assignments")
    op.drop_index("ix_assignments_eligible", "assignments")
    op.drop_index("ix_assignments_assigned_by_id", "assignments")
    op.drop_index("ix_assignments_role_id_id", "assignments")
