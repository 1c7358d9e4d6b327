"""The role model: eligible assignments, constraints, activations, decisions that can be explained, policies that can be undone.

Revision 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ID = sa.Uuid(as_uuid=False)
OPEN = sa.text("valid_to IS NULL")


def upgrade() -> None:
    op.add_column(
        "assignments", sa.Column("mode", sa.String(length=16), server_default="active", nullable=False)
    )
    op.add_column("assignments", sa.Column("max_duration", sa.Integer(), nullable=True))
    for column in ("valid_from", "valid_to"):
        op.create_index(op.f(f"ix_assignments_{column}"), "assignments", [column])
    op.add_column("sessions", sa.Column("active_roles", sa.Text(), nullable=True))
    _create_constraints()
    _create_activations()
    _create_decisions()


def _create_constraints() -> None:
    op.create_table(
        "constraints",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("cardinality", sa.Integer(), nullable=True),
        sa.Column("valid_from", TIME, nullable=False),
        sa.Column("valid_to", TIME, nullable=True),
        sa.CheckConstraint(
            "kind IN ('static', 'dynamic', 'max-holders', 'requires')", name=op.f("ck_constraints_kind")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_constraints")),
    )
    op.create_index(
        "uq_constraints_name_open",
        "constraints",
        ["name"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    op.create_table(
        "constraint_roles",
        sa.Column("constraint_id", ID, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("role_id", ID, nullable=False),
        sa.ForeignKeyConstraint(
            ["constraint_id"], ["constraints.id"], name=op.f("fk_constraint_roles_constraint_id_constraints")
        ),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name=op.f("fk_constraint_roles_role_id_roles")),
        sa.PrimaryKeyConstraint("constraint_id", "position", name=op.f("pk_constraint_roles")),
        sa.UniqueConstraint(
            "constraint_id", "role_id", name=op.f("uq_constraint_roles_constraint_id_role_id")
        ),
    )
    op.create_index(op.f("ix_constraint_roles_role_id"), "constraint_roles", ["role_id"])


def _create_activations() -> None:
    op.create_table(
        "activations",
        sa.Column("id", ID, nullable=False),
        sa.Column("session_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("role_id", ID, nullable=False),
        sa.Column("valid_from", TIME, nullable=False),
        sa.Column("valid_to", TIME, nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.CheckConstraint("valid_to >= valid_from", name=op.f("ck_activations_period")),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name=op.f("fk_activations_session_id_sessions")
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_activations_user_id_users")),
        sa.ForeignKeyConstraint(["role_id"], ["roles.id"], name=op.f("fk_activations_role_id_roles")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_activations")),
    )
    op.create_index(op.f("ix_activations_role_id"), "activations", ["role_id"])
    op.create_index(op.f("ix_activations_user_id"), "activations", ["user_id"])
    op.create_index("ix_activations_session_id_valid_to", "activations", ["session_id", "valid_to"])


def _create_decisions() -> None:
    op.create_table(
        "decisions",
        sa.Column("id", ID, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("session_id", ID, nullable=True),
        sa.Column("permission", sa.String(length=192), nullable=True),
        sa.Column("role", sa.String(length=64), nullable=True),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("second_factor", sa.Boolean(), nullable=False),
        sa.Column("chosen_roles", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["seq"], ["trail_events.seq"], name=op.f("fk_decisions_seq_trail_events")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        sa.UniqueConstraint("seq", name=op.f("uq_decisions_seq")),
    )
    op.create_table(
        "policy_changes",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("changes", sa.Text(), nullable=False),
        sa.Column("reverted_by", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["seq"], ["trail_events.seq"], name=op.f("fk_policy_changes_seq_trail_events")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_policy_changes")),
    )


# What of this revision a database may hold that going back would lose; decisions and policy changes also stand in the trail.
HOLDS = {
    "eligible assignments": "SELECT count(*) FROM assignments WHERE mode <> 'active'",
    "limits on activations": "SELECT count(*) FROM assignments WHERE max_duration IS NOT NULL",
    "sessions with a subset of roles": "SELECT count(*) FROM sessions WHERE active_roles IS NOT NULL",
    "constraints": "SELECT count(*) FROM constraints",
    "activations": "SELECT count(*) FROM activations",
    "decisions": "SELECT count(*) FROM decisions",
    "policy changes": "SELECT count(*) FROM policy_changes",
}


def downgrade() -> None:
    """Back to what 0002 knows, unless something would be lost or, worse, be allowed again."""
    for what, query in HOLDS.items():
        rows = op.get_bind().execute(sa.text(query)).scalar()
        if rows:
            raise RuntimeError(f"downgrading below 0003 would lose {rows} {what}; nothing was changed")
    for table in ("policy_changes", "decisions", "activations", "constraint_roles", "constraints"):
        op.drop_table(table)
    op.drop_column("sessions", "active_roles")
    for column in ("valid_to", "valid_from"):
        op.drop_index(op.f(f"ix_assignments_{column}"), "assignments")
    op.drop_column("assignments", "max_duration")
    op.drop_column("assignments", "mode")
