"""Tokens and sessions that survive attack: service accounts, the denylist, second factors, incidents.

Revision 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ID = sa.Uuid(as_uuid=False)
OPEN = sa.text("closed_at IS NULL")
_OWN, _LIVE = "ix_sessions_user_id", "ix_sessions_user_id_absolute_expires_at"


def upgrade() -> None:
    op.add_column("users", sa.Column("kind", sa.String(length=16), server_default="person", nullable=False))
    op.add_column("sessions", sa.Column("amr", sa.String(length=64), server_default="pwd", nullable=False))
    op.add_column("sessions", sa.Column("client_secret_id", ID, nullable=True))
    op.add_column("signing_keys", sa.Column("withdrawn_at", TIME, nullable=True))
    op.add_column("roles", sa.Column("requires_mfa", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.create_index(_LIVE, "sessions", ["user_id", "absolute_expires_at"])
    op.drop_index(_OWN, "sessions")
    _retire_older_keys()
    _create_machines()
    _create_factors()
    _create_revocations()
    _create_incidents()


def _retire_older_keys() -> None:
    """Until now the newest key of each algorithm signed and the others only verified; from now on that is written down."""
    op.execute(
        "UPDATE signing_keys SET retired_at = (SELECT min(newer.created_at) FROM signing_keys AS newer"
        " WHERE newer.algorithm = signing_keys.algorithm AND newer.created_at > signing_keys.created_at)"
        " WHERE retired_at IS NULL"
    )


def _create_machines() -> None:
    op.create_table(
        "service_accounts",
        sa.Column("id", ID, nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("created_by", ID, nullable=True),
        sa.ForeignKeyConstraint(["id"], ["users.id"], name=op.f("fk_service_accounts_id_users")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_accounts")),
    )
    op.create_table(
        "client_secrets",
        sa.Column("id", ID, nullable=False),
        sa.Column("service_account_id", ID, nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("created_by", ID, nullable=True),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("last_used_at", TIME, nullable=True),
        sa.Column("withdrawn_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(
            ["service_account_id"], ["users.id"], name=op.f("fk_client_secrets_service_account_id_users")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_client_secrets")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_client_secrets_secret_hash")),
    )
    op.create_index(op.f("ix_client_secrets_service_account_id"), "client_secrets", ["service_account_id"])


def _create_factors() -> None:
    op.create_table(
        "totp_factors",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("secret_sealed", sa.Text(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("confirmed_at", TIME, nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_totp_factors_user_id_users")),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_totp_factors")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("spent_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id_users")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_recovery_codes")),
    )
    op.create_index(op.f("ix_recovery_codes_user_id"), "recovery_codes", ["user_id"])


def _create_revocations() -> None:
    op.create_table(
        "revocations",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("value", sa.String(length=64), nullable=False),
        sa.Column("minimum", sa.Integer(), nullable=True),
        sa.Column("revoked_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_revocations")),
        sa.UniqueConstraint("kind", "value", name=op.f("uq_revocations_kind_value")),
    )
    op.create_index("ix_revocations_expires_at", "revocations", ["expires_at"])


def _create_incidents() -> None:
    op.create_table(
        "incidents",
        sa.Column("id", ID, nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("session_id", ID, nullable=True),
        sa.Column("opened_at", TIME, nullable=False),
        sa.Column("occurrences", sa.Integer(), nullable=False),
        sa.Column("rightful_ip", sa.String(length=64), nullable=True),
        sa.Column("rightful_user_agent", sa.String(length=256), nullable=True),
        sa.Column("rightful_at", TIME, nullable=True),
        sa.Column("other_ip", sa.String(length=64), nullable=True),
        sa.Column("other_user_agent", sa.String(length=256), nullable=True),
        sa.Column("other_at", TIME, nullable=False),
        sa.Column("closed_at", TIME, nullable=True),
        sa.Column("closed_by", ID, nullable=True),
        sa.Column("close_reason", sa.Text(), nullable=True),
        sa.CheckConstraint("(closed_at IS NULL) = (close_reason IS NULL)", name=op.f("ck_incidents_closing")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    op.create_index("ix_incidents_opened_at", "incidents", ["opened_at"])
    op.create_index(
        "uq_incidents_open",
        "incidents",
        ["type", "subject"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )


# What of this revision a database may hold that going back would lose; `revocations` are lost last, as the denylist.
HOLDS = {
    "service accounts": "SELECT count(*) FROM users WHERE kind <> 'person'",
    "second factors": "SELECT count(*) FROM totp_factors",
    "sessions with a second factor": "SELECT count(*) FROM sessions WHERE amr <> 'pwd'",
    "roles that require a second factor": "SELECT count(*) FROM roles WHERE requires_mfa",
    "withdrawn keys": "SELECT count(*) FROM signing_keys WHERE withdrawn_at IS NOT NULL",
    "incidents": "SELECT count(*) FROM incidents",
    "revocations": "SELECT count(*) FROM revocations",
}


def downgrade() -> None:
    """Back to what 0001 knows, unless something would be lost or, worse, be allowed again."""
    for what, query in HOLDS.items():
        rows = op.get_bind().execute(sa.text(query)).scalar()
        if rows:
            raise RuntimeError(f"downgrading below 0002 would lose {rows} {what}; nothing was changed")
    for table in (
        "incidents",
        "revocations",
        "recovery_codes",
        "totp_factors",
        "client_secrets",
        "service_accounts",
    ):
        op.drop_table(table)
    op.create_index(_OWN, "sessions", ["user_id"])
    op.drop_index(_LIVE, "sessions")
    for table, columns in (
        ("roles", ("requires_mfa",)),
        ("signing_keys", ("withdrawn_at",)),
        ("sessions", ("client_secret_id", "amr")),
        ("users", ("kind",)),
    ):
        for column in columns:
            op.drop_column(table, column)
