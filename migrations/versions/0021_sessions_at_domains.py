"""The domain that a session acts at: so far all act at root.

Revision 0021, after 0020.  A new column with a constant default rewrites no row on either engine.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_SESSIONS = sa.table("sessions", sa.column("domain"), sa.column("ended_at"))


def upgrade() -> None:
    op.add_column("sessions", sa.Column("domain", sa.String(255), nullable=False, server_default="root"))


def downgrade() -> None:
    """Refused if a session acts at a domain below root and has not ended: without the column it would act at
    root."""
    live = (_SESSIONS.c.domain != "root", _SESSIONS.c.ended_at.is_(None))
    query = sa.select(sa.func.count()).select_from(_SESSIONS).where(*live)
    if rows := op.get_bind().execute(query).scalar_one():
        raise RuntimeError(
            f"downgrading below 0021 would let {rows} sessions act at root that were begun at another domain;"
            " end them first. Nothing was changed"
        )
    op.drop_column("sessions", "domain")
