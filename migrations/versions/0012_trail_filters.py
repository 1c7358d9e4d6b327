"""Events are found by address, session, request and role, and the readings of an hour by their reader.

Revision 0012, after 0011.  The index of roles is over an expression, so each engine has its own form of it
(``rbac_api/trail/named_role.py``).
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

WITH_IP = sa.text("ip IS NOT NULL")
READING = sa.text("action = 'audit.read'")
UNIFORM = """replace(coalesce("after", '') || coalesce("before", ''), '"inherits":"', '"role":"')"""
REST = f"""substr({UNIFORM}, instr({UNIFORM}, '"role":"') + 8)"""
UNLESS_READING = "CASE WHEN action NOT IN ('audit.read', 'audit.exported')"
ROLE = {
    "sqlite": f'{UNLESS_READING} AND instr({UNIFORM}, \'"role":"\') > 0'
    f" THEN substr({REST}, 1, instr({REST}, '\"') - 1) END",
    "postgresql": f"{UNLESS_READING} THEN substring(coalesce(\"after\", '') || coalesce(\"before\", '')"
    """ from '"(?:role|inherits)":"([^"]*)"') END""",
}


def upgrade() -> None:
    for column in ("session_id", "request_id"):
        op.create_index(f"ix_trail_events_{column}", "trail_events", [column, "seq"])
    op.create_index(
        "ix_trail_events_ip", "trail_events", ["ip", "seq"], sqlite_where=WITH_IP, postgresql_where=WITH_IP
    )
    op.drop_index("ix_personal_values_ip", "personal_values")
    op.create_index("ix_personal_values_ip", "personal_values", ["ip", "seq"])
    op.create_index(
        "ix_trail_events_reading",
        "trail_events",
        ["actor_id", "at"],
        sqlite_where=READING,
        postgresql_where=READING,
    )
    role = ROLE[op.get_context().dialect.name]
    op.get_bind().exec_driver_sql(f"CREATE INDEX ix_trail_events_role ON trail_events (({role}), seq)")


def downgrade() -> None:
    """Nothing is lost by it."""
    op.drop_index("ix_personal_values_ip", "personal_values")
    op.create_index("ix_personal_values_ip", "personal_values", ["ip"])
    for name in ("role", "reading", "request_id", "session_id", "ip"):
        op.drop_index(f"ix_trail_events_{name}", "trail_events")
