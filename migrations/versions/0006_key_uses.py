"""Until when the tokens of each key live, from when on a key signs, and what all nodes of an installation must agree on.

Revision 0006, after 0005.  Of the keys that are there, the tokens end when the last session does that may have some.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
# What the last session may hold that began before a key was retired.
FILL = """
INSERT INTO key_uses (kid, algorithm, first_used_at, last_used_at, access_until, refresh_until)
SELECT kid, algorithm, created_at, last_used_at, ends_at, ends_at FROM (
    SELECT kid, algorithm, created_at,
        coalesce(retired_at, (SELECT max(sessions.last_seen_at) FROM sessions), created_at) AS last_used_at,
        coalesce(
            (SELECT max(sessions.idle_expires_at) FROM sessions WHERE sessions.ended_at IS NULL
             AND (signing_keys.retired_at IS NULL OR sessions.created_at <= signing_keys.retired_at)),
            retired_at, created_at
        ) AS ends_at
    FROM signing_keys WHERE withdrawn_at IS NULL
) AS used
"""


def upgrade() -> None:
    op.create_table(
        "key_uses",
        sa.Column("kid", sa.String(length=64), nullable=False),
        sa.Column("algorithm", sa.String(length=16), nullable=False),
        sa.Column("public_sealed", sa.Text(), nullable=True),
        sa.Column("first_used_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=False),
        sa.Column("access_until", TIME, nullable=True),
        sa.Column("refresh_until", TIME, nullable=True),
        sa.Column("withdrawn_at", TIME, nullable=True),
        sa.PrimaryKeyConstraint("kid", name=op.f("pk_key_uses")),
    )
    op.create_table(
        "instance",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_instance")),
    )
    op.add_column("signing_keys", sa.Column("signs_from", TIME, nullable=True))
    op.execute(FILL)


# What of this revision a database may hold that going back would allow again.
HOLDS = {"withdrawn keys": "SELECT count(*) FROM key_uses WHERE withdrawn_at IS NOT NULL"}


def downgrade() -> None:
    """Back to what 0005 knows, unless something would be allowed again; the rest is made anew."""
    for what, query in HOLDS.items():
        rows = op.get_bind().execute(sa.text(query)).scalar()
        if rows:
            raise RuntimeError(f"downgrading below 0006 would lose {rows} {what}; nothing was changed")
    op.drop_column("signing_keys", "signs_from")
    op.drop_table("instance")
    op.drop_table("key_uses")
