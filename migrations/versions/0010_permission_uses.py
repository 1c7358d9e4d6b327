"""How often each subject used each permission on each day.

Revision 0010, after 0009.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "permission_uses",
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("permission", sa.String(length=200), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("second_factor", sa.Boolean(), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("last_used", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "user_id", "permission", "day", "second_factor", name=op.f("pk_permission_uses")
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_permission_uses_permission", "permission_uses", ["permission", "user_id", "day"])
    op.create_index("ix_permission_uses_day", "permission_uses", ["day"])


def downgrade() -> None:
    """Back to what 0009 knows, unless it would be lost who used what."""
    rows = op.get_bind().execute(sa.text("SELECT count(*) FROM permission_uses")).scalar()
    if rows:
        raise RuntimeError(
            f"downgrading below 0010 would lose {rows} rows of permission_uses; nothing was changed"
        )
    op.drop_table("permission_uses")
