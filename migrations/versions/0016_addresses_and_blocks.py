"""Sessions of an address, and the names whose sign-ins are refused now, are found by an index.

Revision 0016, after 0015.
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_sessions_ip", "sessions", ["ip", "id"])
    op.create_index("ix_signin_attempts_blocked_until", "signin_attempts", ["blocked_until"])


def downgrade() -> None:
    """Nothing is lost by it."""
    op.drop_index("ix_signin_attempts_blocked_until", "signin_attempts")
    op.drop_index("ix_sessions_ip", "sessions")
