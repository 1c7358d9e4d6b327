"""Domains, and assignments that count at one: every assignment so far counts at root, which is everywhere.

Revision 0019, after 0018.  A new column with a constant default rewrites no row on either engine.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_OPEN = sa.text("valid_to IS NULL")
_BELOW = sa.text("domain <> 'root'")
_PATH = sa.String(255).with_variant(sa.String(255, collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "domains",
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", _PATH, nullable=False),
        sa.Column("title", sa.String(200)),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("valid_to", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_domains"),
    )
    op.create_index(
        "uq_domains_name_open", "domains", ["name"], unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN
    )
    op.add_column("assignments", sa.Column("domain", sa.String(255), nullable=False, server_default="root"))
    op.drop_index("uq_assignments_open", "assignments")
    op.create_index(
        "uq_assignments_open", "assignments", ["user_id", "role_id", "domain"], unique=True,
        sqlite_where=_OPEN, postgresql_where=_OPEN,
    )  # fmt: skip
    op.create_index(
        "ix_assignments_domain", "assignments", ["domain", "id"], sqlite_where=_BELOW, postgresql_where=_BELOW
    )


def downgrade() -> None:
    """Refused if there is, or was, a domain: without the column its assignments would count everywhere."""
    below = (
        "SELECT (SELECT count(*) FROM domains) + (SELECT count(*) FROM assignments WHERE domain <> 'root')"
    )
    rows = op.get_bind().execute(sa.text(below)).scalar()
    if rows:
        raise RuntimeError(
            f"downgrading below 0019 would lose {rows} domains and what counts there; nothing was changed"
        )
    op.drop_index("ix_assignments_domain", "assignments")
    op.drop_index("uq_assignments_open", "assignments")
    op.drop_column("assignments", "domain")
    op.create_index(
        "uq_assignments_open", "assignments", ["user_id", "role_id"], unique=True, sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )  # fmt: skip
    op.drop_table("domains")
