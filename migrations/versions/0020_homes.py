"""The domain where an account, a role or a constraint is at home: so far all are at home at root.

Revision 0020, after 0019.  A new column with a constant default rewrites no row on either engine, and the
indexes have no row that is at home at root.
"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_BELOW = sa.text("home <> 'root'")
_PATH = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")
_TABLES = ("users", "roles", "constraints")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("home", _PATH, nullable=False, server_default="root"))
        op.create_index(
            f"ix_{table}_home", table, ["home", "id"], sqlite_where=_BELOW, postgresql_where=_BELOW
        )


def downgrade() -> None:
    """Refused if anything is at home below root: without the column its administrators would change."""
    tables = (sa.table(name, sa.column("home")) for name in _TABLES)
    below = (sa.select(sa.func.count()).select_from(table).where(table.c.home != "root") for table in tables)
    if rows := sum(op.get_bind().execute(query).scalar_one() for query in below):
        raise RuntimeError(
            f"downgrading below 0020 would lose the homes of {rows} accounts, roles and constraints; nothing was"
            " changed"
        )
    for table in reversed(_TABLES):
        op.drop_index(f"ix_{table}_home", table)
        op.drop_column(table, "home")
