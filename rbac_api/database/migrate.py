"""Bringing a database's schema to the code's, and saying whether it is."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from rbac_api.database.constraints import translated
from rbac_api.database.engine import WRITE_LOCK, Database

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
HEAD = "head"


def upgrade(database: Database, revision: str = HEAD) -> tuple[str | None, str | None]:
    """Migrate to ``revision``; the revisions before and after.  Several nodes may do this at once: one does it, the others wait."""
    with translated(), database.engine.connect() as connection:
        before = present_revision(connection)
        connection.rollback()
        if not database.on_sqlite:
            # for the session, not a transaction: migrations may need several
            connection.execute(text("SET lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": WRITE_LOCK + 1})
            connection.commit()
        try:
            command.upgrade(_config(connection), revision)
            connection.commit()
        finally:
            if not database.on_sqlite:
                connection.rollback()
                connection.execute(text("SELECT pg_advisory_unlock_all()"))
                connection.execute(text("RESET lock_timeout"))
                connection.commit()
        return before, present_revision(connection)


def downgrade(database: Database, revision: str) -> None:
    """Migrate back; a revision that would lose data refuses and says which."""
    with translated(), database.engine.connect() as connection:
        command.downgrade(_config(connection), revision)
        connection.commit()


def schema_problem(database: Database) -> str | None:
    """What is wrong between the schema and the code, with the remedy; None if nothing is."""
    with database.reading() as connection:
        present = present_revision(connection)
    script = ScriptDirectory.from_config(_config(None))
    head = script.get_current_head()
    if present == head:
        return None
    if present is None:
        return "the database is empty: run `flask rbac init`"
    if present not in {revision.revision for revision in script.walk_revisions()}:
        return f"the database is at revision {present}, which this code does not know: it is newer; run the newer release"
    return f"the database is at revision {present}, the code needs {head}: run `flask rbac init`"


def present_revision(connection: Connection) -> str | None:
    """The revision the database says it is at."""
    return MigrationContext.configure(connection).get_current_revision()


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
