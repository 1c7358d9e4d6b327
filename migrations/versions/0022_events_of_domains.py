"""Events have the domain that they concern: none of those so far has one, which means root.

Revision 0022, after 0021.  A new column without a value rewrites no row on either engine.
"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_PATH = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")
_TABLES = ("trail_events", "trail_outbox")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("domain", _PATH, nullable=True))
    op.create_table(
        "trail_domains",
        sa.Column("domain", _PATH, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("domain", "seq", name=op.f("pk_trail_domains")),
    )


def downgrade() -> None:
    """Refused if an event concerns a domain below root: its hash could not be verified without it."""
    tables = (sa.table(name, sa.column("domain")) for name in _TABLES)
    below = (
        sa.select(sa.func.count()).select_from(table).where(table.c.domain.is_not(None)) for table in tables
    )
    if rows := sum(op.get_bind().execute(query).scalar_one() for query in below):
        raise RuntimeError(
            f"downgrading below 0022 would lose the domains of {rows} events, which their hashes cover; nothing was"
            " changed"
        )
    op.drop_table("trail_domains")
    for table in reversed(_TABLES):
        op.drop_column(table, "domain")
