"""How Alembic runs here: on the connection it is handed, in one transaction, with SQLite's foreign keys off while tables are rebuilt."""

from __future__ import annotations

from typing import Any

from alembic import context
from sqlalchemy import Connection

from rbac_api.database.tables import metadata
from rbac_api.database.types import UtcDateTime


def render_item(kind: str, item: Any, _autogen_context: Any) -> str | bool:
    """Write our type decorators as what they are in SQL, so that old migrations never import application code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def is_for_this_engine(item: Any, _name: Any, kind: str, _reflected: bool, _other: Any) -> bool:
    """Whether the engine has it: an index may be made for one alone."""
    only = item.info.get("only") if kind == "index" else None
    return only in (None, given.dialect.name)


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=True,
        compare_type=True,
        compare_server_default=False,
        render_item=render_item,
        include_object=is_for_this_engine,
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
