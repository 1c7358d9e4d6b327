"""Accounts are found by a text anywhere in their names, with an index of trigrams, and service accounts in order.

Revision 0017, after 0016.  SQLite has FTS5 with its trigram tokenizer, PostgreSQL a GIN index of text search
lexemes.  Triggers keep both, so that no writer of ``users`` can forget it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_SERVICE = sa.text("kind = 'service'")
_FILL = (
    "INSERT INTO user_search (user_id, name, text) SELECT id, username_canonical, search_text || {0} || {0}"
    " FROM users WHERE search_text <> '' ORDER BY username_canonical"
)
# FTS5 writes what it has to disk with each statement, which is dear for one row: 256 rows together cost as
# little.  Until then the newest rows are read one by one.
SQLITE = (
    (
        "CREATE VIRTUAL TABLE user_trigrams USING fts5(text, content='user_search', content_rowid='number',"
        " tokenize='trigram case_sensitive 1', detail=none, columnsize=0)"
    ),
    "CREATE VIRTUAL TABLE user_trigram_terms USING fts5vocab(user_trigrams, 'row')",
    _FILL.format("char(10)"),
    (
        "INSERT INTO user_trigrams (rowid, text) SELECT number, text FROM user_search"
        " WHERE number <= (SELECT max(number) - max(number) % 256 FROM user_search)"
    ),
    (
        "CREATE TRIGGER user_search_insert AFTER INSERT ON user_search WHEN new.number % 256 = 0 BEGIN"
        " INSERT INTO user_trigrams (rowid, text) SELECT number, text FROM user_search"
        " WHERE number > new.number - 256; END"
    ),
    (
        "CREATE TRIGGER user_search_delete AFTER DELETE ON user_search"
        " WHEN old.number <= (SELECT seq - seq % 256 FROM sqlite_sequence WHERE name = 'user_search') BEGIN"
        " INSERT INTO user_trigrams (user_trigrams, rowid, text) VALUES ('delete', old.number, old.text); END"
    ),
    (
        "CREATE TRIGGER users_search_insert AFTER INSERT ON users WHEN new.search_text <> '' BEGIN"
        " INSERT INTO user_search (user_id, name, text)"
        " VALUES (new.id, new.username_canonical, new.search_text || char(10) || char(10)); END"
    ),
    (
        "CREATE TRIGGER users_search_update AFTER UPDATE OF search_text ON users"
        " WHEN old.search_text <> new.search_text BEGIN"
        " DELETE FROM user_search WHERE user_id = old.id;"
        " INSERT INTO user_search (user_id, name, text)"
        " SELECT new.id, new.username_canonical, new.search_text || char(10) || char(10)"
        " WHERE new.search_text <> ''; END"
    ),
)
# A plan that would compute the trigrams of every row has to look as expensive as it is.
POSTGRESQL = (
    (
        "CREATE FUNCTION search_trigrams(content text) RETURNS tsvector LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE"
        " COST 1000 AS $$ SELECT array_to_tsvector(array_agg(substr(content, place, 3)))"
        " FROM generate_series(1, length(content) - 2) AS place $$"
    ),
    _FILL.format("chr(10)"),
    (
        "CREATE INDEX ix_user_search_trigrams ON user_search USING gin (search_trigrams(text))"
        " WITH (fastupdate = on, gin_pending_list_limit = 512)"
    ),
    """CREATE FUNCTION keep_user_search() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
IF TG_OP = 'UPDATE' THEN DELETE FROM user_search WHERE user_id = NEW.id; END IF;
IF NEW.search_text <> '' THEN INSERT INTO user_search (user_id, name, text)
VALUES (NEW.id, NEW.username_canonical, NEW.search_text || chr(10) || chr(10)); END IF;
RETURN NULL; END $$""",
    (
        "CREATE TRIGGER users_search_insert AFTER INSERT ON users"
        " FOR EACH ROW EXECUTE FUNCTION keep_user_search()"
    ),
    (
        "CREATE TRIGGER users_search_update AFTER UPDATE OF search_text ON users"
        " FOR EACH ROW WHEN (OLD.search_text <> NEW.search_text) EXECUTE FUNCTION keep_user_search()"
    ),
)


def upgrade() -> None:
    sqlite = op.get_context().dialect.name == "sqlite"
    op.create_table(
        "user_search",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.String(length=1024), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_user_search"),
        sa.UniqueConstraint("user_id", name="uq_user_search_user_id"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_user_search_user_id_users", ondelete="CASCADE"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_users_service", "users", ["username_canonical"], sqlite_where=_SERVICE, postgresql_where=_SERVICE
    )
    for statement in SQLITE if sqlite else POSTGRESQL:
        op.execute(statement)
    if sqlite:
        op.drop_index("ix_users_search_text", "users")


def downgrade() -> None:
    """Nothing is lost by it."""
    if op.get_context().dialect.name == "sqlite":
        op.create_index("ix_users_search_text", "users", ["search_text", "id"])
        dropped = ["TRIGGER users_search_insert", "TRIGGER users_search_update", "TRIGGER user_search_insert",
                   "TRIGGER user_search_delete", "TABLE user_trigram_terms", "TABLE user_trigrams"]  # fmt: skip
    else:
        dropped = ["TRIGGER users_search_insert ON users", "TRIGGER users_search_update ON users",
                   "FUNCTION keep_user_search()", "INDEX ix_user_search_trigrams",
                   "FUNCTION search_trigrams(text)"]  # fmt: skip
    for each in [*dropped, "TABLE user_search"]:
        op.execute(f"DROP {each}")
    op.drop_index("ix_users_service", "users")
