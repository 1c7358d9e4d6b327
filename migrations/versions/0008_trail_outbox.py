"""Events of refreshes wait in an outbox until they are linked into the trail.

Revision 0008, after 0007.  The outbox has the columns of an event before it has a place in the chain.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "trail_outbox",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor_type", sa.String(length=16), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=True),
        sa.Column("actor_name", sa.String(length=256), nullable=True),
        sa.Column("session_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("target_type", sa.String(length=32), nullable=True),
        sa.Column("target_id", sa.String(length=256), nullable=True),
        sa.Column("target_name", sa.String(length=256), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("before", sa.Text(), nullable=True),
        sa.Column("after", sa.Text(), nullable=True),
        sa.Column("ip", sa.String(length=64), nullable=True),
        sa.Column("request_id", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trail_outbox")),
    )


def downgrade() -> None:
    """Back to what 0007 knows, unless an event would be lost: a running service links it within a second."""
    rows = op.get_bind().execute(sa.text("SELECT count(*) FROM trail_outbox")).scalar()
    if rows:
        raise RuntimeError(
            f"downgrading below 0008 would lose {rows} rows of trail_outbox; nothing was changed"
        )
    op.drop_table("trail_outbox")
