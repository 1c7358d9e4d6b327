"""Users are searched without case and accents: a column with the texts in that form.

Revision 0005, after 0004.
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BATCH = 1000
PLAIN = str.maketrans({
    "ł": "l", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "ı": "i", "ŋ": "n", "ĸ": "k", "ŀ": "l",
    "æ": "ae", "œ": "oe", "þ": "th", "ə": "e",
})  # fmt: skip


def upgrade() -> None:
    op.add_column("users", sa.Column("search_text", sa.Text(), nullable=False, server_default=""))
    if op.get_context().dialect.name == "sqlite":
        op.create_index("ix_users_search_text", "users", ["search_text", "id"])
    if not op.get_context().as_sql:
        _fill(op.get_bind())


def downgrade() -> None:
    """Nothing is lost by it."""
    if op.get_context().dialect.name == "sqlite":
        op.drop_index("ix_users_search_text", "users")
    op.drop_column("users", "search_text")


def _fill(connection: sa.Connection) -> None:
    users = sa.table(
        "users",
        sa.column("id", sa.Uuid(as_uuid=False)),
        *map(sa.column, ("username", "email", "display_name", "status", "search_text")),
    )
    columns = (users.c.id, users.c.username, users.c.email, users.c.display_name)
    page = sa.select(*columns).where(users.c.status != "deleted").order_by(users.c.id).limit(BATCH)
    write = sa.update(users).where(users.c.id == sa.bindparam("row")).values(search_text=sa.bindparam("text"))
    rows = connection.execute(page).all()
    while rows:
        connection.execute(write, [{"row": row[0], "text": _search_text(row[1:])} for row in rows])
        rows = connection.execute(page.where(users.c.id > rows[-1].id)).all()


def _search_text(texts: tuple[str | None, ...]) -> str:
    return "\n".join(_search_form(text) for text in texts if text)


def _search_form(text: str) -> str:
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(c for c in apart if unicodedata.category(c) != "Mn").translate(PLAIN)
