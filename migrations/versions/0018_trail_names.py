"""Events are found by the name of an actor or a target, and by the user whose name they have, in an index each.

Revision 0018, after 0017.
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in ("actor_name", "target_name"):
        named = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"ix_trail_events_{column}",
            "trail_events",
            [column, "seq"],
            sqlite_where=named,
            postgresql_where=named,
        )
    op.drop_index("ix_personal_values_user_id", "personal_values")
    op.create_index("ix_personal_values_user_id", "personal_values", ["user_id", "seq"])


def downgrade() -> None:
    """Nothing is lost by it."""
    op.drop_index("ix_personal_values_user_id", "personal_values")
    op.create_index("ix_personal_values_user_id", "personal_values", ["user_id"])
    op.drop_index("ix_trail_events_target_name", "trail_events")
    op.drop_index("ix_trail_events_actor_name", "trail_events")
