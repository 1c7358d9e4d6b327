"""Refusals wait in the outbox with what explains them.

Revision 0013, after 0012.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("trail_outbox", sa.Column("decision", sa.Text(), nullable=True))


def downgrade() -> None:
    """Back to what 0012 knows, unless what explains a refusal would be lost: a running service writes it
    within a second."""
    waiting = "SELECT count(*) FROM trail_outbox WHERE decision IS NOT NULL"
    if rows := op.get_bind().execute(sa.text(waiting)).scalar():
        raise RuntimeError(
            f"downgrading below 0013 would lose the explanations of {rows} refusals; nothing was changed"
        )
    op.drop_column("trail_outbox", "decision")
