"""Personal values of events have a table of their own, so that they can be erased.

Revision 0011, after 0010.  Events that are there keep their values, because their hashes cover them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "personal_values",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("part", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("ip", sa.String(length=64), nullable=True),
        sa.Column("entries", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", "part", name=op.f("pk_personal_values")),
    )
    op.create_index(op.f("ix_personal_values_user_id"), "personal_values", ["user_id"])
    op.create_index(op.f("ix_personal_values_ip"), "personal_values", ["ip"])
    op.add_column("trail_events", sa.Column("personal", sa.Text(), nullable=True))
    op.add_column("trail_outbox", sa.Column("personal", sa.Text(), nullable=True))
    op.add_column("trail_outbox", sa.Column("personal_values", sa.Text(), nullable=True))
    op.add_column("users", sa.Column("erased_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    """Back to what 0010 knows, unless a value would be lost, which 0010 cannot hold: it would break the
    chain."""
    concealed = "SELECT count(*) FROM trail_events WHERE personal IS NOT NULL"
    if rows := op.get_bind().execute(sa.text(concealed)).scalar():
        raise RuntimeError(
            f"downgrading below 0011 would lose the personal values of {rows} events; nothing was changed"
        )
    op.drop_column("users", "erased_at")
    op.drop_column("trail_outbox", "personal_values")
    op.drop_column("trail_outbox", "personal")
    op.drop_column("trail_events", "personal")
    op.drop_table("personal_values")
