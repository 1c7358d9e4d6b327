"""Roles and permissions are named as other systems name them, and have a title; no two names differ by case alone.

Revision 0007, after 0006.  SQLite enforces no length of texts, so only PostgreSQL has columns to widen.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

NAMED = ("roles", "permissions", "constraints")
WIDER = {  # column: its length before and from now on
    "roles.name": (64, 127),
    "permissions.name": (130, 200),
    "constraints.name": (64, 127),
    "decisions.role": (64, 127),
    "decisions.permission": (192, 200),
    "trail_events.target_id": (192, 256),
}
HAS_TITLE = "title IS NOT NULL"


def upgrade() -> None:
    _require_unlike()
    _set_lengths(1)
    op.add_column("roles", sa.Column("title", sa.String(length=200), nullable=True))
    op.add_column("permissions", sa.Column("title", sa.String(length=200), nullable=True))
    folded = "name COLLATE NOCASE" if op.get_context().dialect.name == "sqlite" else 'lower(name COLLATE "C")'
    for table in NAMED:
        op.execute(f"CREATE UNIQUE INDEX uq_{table}_name_folded ON {table} ({folded}) WHERE valid_to IS NULL")


def downgrade() -> None:
    """Back to what 0006 knows, unless a name is too long for it or a title would be lost."""
    too_long = {column: f"length({column.split('.')[1]}) > {before}" for column, (before, _) in WIDER.items()}
    for column, condition in {**too_long, "roles.title": HAS_TITLE, "permissions.title": HAS_TITLE}.items():
        table = column.split(".")[0]
        rows = op.get_bind().execute(sa.text(f"SELECT count(*) FROM {table} WHERE {condition}")).scalar()  # noqa: S608 -- names from above
        if rows:
            raise RuntimeError(
                f"downgrading below 0007 would lose {rows} values of {column}; nothing was changed"
            )
    for table in NAMED:
        op.execute(f"DROP INDEX uq_{table}_name_folded")
    op.drop_column("permissions", "title")
    op.drop_column("roles", "title")
    _set_lengths(0)


def _set_lengths(which: int) -> None:
    if op.get_context().dialect.name == "postgresql":
        for column, lengths in WIDER.items():
            op.alter_column(*column.split("."), type_=sa.String(lengths[which]))


def _require_unlike() -> None:
    """This service never made two such names; a user with the database in hand could."""
    for table in NAMED:
        alike = (
            f"SELECT min(name) FROM {table} WHERE valid_to IS NULL GROUP BY lower(name) HAVING count(*) > 1"  # noqa: S608
        )
        if names := sorted(op.get_bind().execute(sa.text(alike)).scalars()):
            raise RuntimeError(
                f"{', '.join(names)} of {table}: another name differs from it by case alone; nothing was changed: rename one first"
            )
