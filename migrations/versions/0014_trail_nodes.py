"""Nodes of the Merkle tree over the trail are stored.

Revision 0014, after 0013.  They are computed from the events when the first checkpoint is made.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trail_nodes",
        sa.Column("level", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("node", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("level", "position", name=op.f("pk_trail_nodes")),
    )


def downgrade() -> None:
    """Nothing is lost by it: the nodes can be computed again."""
    op.drop_table("trail_nodes")
