"""Assignments are found by role and user together.

Revision 0004, after 0003.  With an index of roles alone PostgreSQL, while its statistics were old, looked through all holders of a role
once for each of them.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_assignments_role_id_user_id", "assignments", ["role_id", "user_id"])
    op.drop_index(op.f("ix_assignments_role_id"), "assignments")


def downgrade() -> None:
    """Nothing is lost by it."""
    op.create_index(op.f("ix_assignments_role_id"), "assignments", ["role_id"])
    op.drop_index("ix_assignments_role_id_user_id", "assignments")
