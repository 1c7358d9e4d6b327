"""How Alembic runs here: on the connection it is handed, in one transaction, with SQLite's foreign keys off while tables are rebuilt."""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy import Connection, String

from rbac_api.database.folding import FOLDED
from rbac_api.database.tables import metadata
from rbac_api.database.types import Id, UtcDateTime
from rbac_api.trail.named_role import INDEX


def render_item(kind: str, item: Any, _autogen_context: Any) -> str | bool:
    """Write our type decorators as what they are in SQL, so that old migrations never import application code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, Id):
        return "sa.Uuid(as_uuid=False)"
    return False


def is_compared(_item: Any, name: Any, kind: str, _reflected: bool, _other: Any) -> bool:
    """Whether Alembic can compare it with the tables' metadata: not the indexes of one engine, nor SQLite's tables of trigrams."""
    if kind == "index":
        return name not in (*FOLDED, INDEX, "ix_user_search_trigrams")
    return kind != "table" or not name.startswith("user_trigram")


def is_another_type(context_: Any, _inspected: Any, _column: Any, present: Any, wanted: Any) -> bool | None:
    """No if both are texts on SQLite, which enforces no length and so needs no wider columns; else as Alembic finds."""
    both_texts = isinstance(present, String) and isinstance(wanted, String)
    return False if both_texts and context_.dialect.name == "sqlite" else None


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        compare_type=is_another_type,
        compare_server_default=False,
        render_item=render_item,
        include_object=is_compared,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


def migrate_sqlite(connection: Connection) -> None:
    """A rebuilt table would take its children with it by CASCADE; so check the references afterwards instead of meanwhile."""
    raw = connection.connection.driver_connection
    if raw is None:
        raise RuntimeError("the connection is closed")
    patience = raw.execute("PRAGMA busy_timeout").fetchone()[0]
    raw.execute("PRAGMA busy_timeout=600000")  # another node may be at it, and have much to rebuild
    raw.execute("PRAGMA foreign_keys=OFF")
    try:
        with connection.execution_options(writer=True).begin():
            migrate(connection)
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            if broken:
                raise RuntimeError(
                    f"the migration would leave {len(broken)} broken references, first in {broken[0][0]}; nothing was changed"
                )
    finally:
        raw.execute("PRAGMA foreign_keys=ON")
        raw.execute(f"PRAGMA busy_timeout={patience}")


given: Connection = context.config.attributes["connection"]
if given.dialect.name == "sqlite":
    migrate_sqlite(given)
else:
    migrate(given)
