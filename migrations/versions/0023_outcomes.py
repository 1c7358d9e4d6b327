"""Events that were refused or failed are found by their outcome, in an index of those alone.

Revision 0023, after 0022.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    rare = sa.text("outcome <> 'success'")
    op.create_index(
        "ix_trail_events_outcome",
        "trail_events",
        ["outcome", "seq"],
        sqlite_where=rare,
        postgresql_where=rare,
    )


def downgrade() -> None:
    """Nothing is lost by it."""
    op.drop_index("ix_trail_events_outcome", "trail_events")
