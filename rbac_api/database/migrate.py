"""Migrates a database's schema to that of the code, and checks whether it is.

Alembic is loaded only to migrate.  Nearly every start finds nothing to do, and learns that from the names of
the files in ``migrations/versions``, which begin with their revisions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from rbac_api.database.engine import WRITE_LOCK, Database, translated
from rbac_api.errors import ServiceError
from rbac_api.resources import resource

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = resource("migrations")
HEAD = "head"
_NEWER = "the database is at revision {}, which this code does not know: it is newer; run the newer release"


class SchemaRefused(ServiceError):
    """This code cannot migrate the schema to its own."""

    code = "schema.refused"
    title = "The schema cannot be migrated"


def upgrade(database: Database, revision: str = HEAD) -> tuple[str | None, str | None]:
    """Migrate to ``revision``; return the revisions before and after.  Several nodes may do this at once: one
    does it, the others wait.

    Raises ``SchemaRefused`` for a database of a newer release.
    """
    with _alone(database) as connection:
        before, (head, known) = present_revision(connection), _revisions(MIGRATIONS)
        connection.rollback()
        if before == head and revision == HEAD:
            return before, before
        if before is not None and before not in known:
            raise SchemaRefused(_NEWER.format(before))
        from alembic import command

        command.upgrade(_config(connection), revision)
        connection.commit()
        return before, present_revision(connection)


def downgrade(database: Database, revision: str) -> None:
    """Migrate back; a revision that would lose data refuses and says which data."""
    from alembic import command

    with _alone(database) as connection:
        command.downgrade(_config(connection), revision)
        connection.commit()


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """Open the only connection that may migrate.

    PostgreSQL: a lock of the session, because migrations may need several transactions.  SQLite has its write
    lock, which ``migrations/env.py`` takes.
    """
    with translated(), database.engine.connect() as connection:
        if database.on_sqlite:
            yield connection
            return
        connection.execution_options(**database.transactional)
        connection.execute(text("SET lock_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": WRITE_LOCK + 1})
        connection.commit()
        try:
            yield connection
        finally:
            connection.invalidate()  # the end of its session releases the lock and the setting


def schema_problem(database: Database) -> str | None:
    """Say what is wrong between the schema and the code, with the remedy; None if nothing is."""
    with database.reading() as connection:
        present = present_revision(connection)
    head, known = _revisions(MIGRATIONS)
    if present == head:
        return None
    if present is None:
        return "the database is empty: run `rbac-api init`"
    if present not in known:
        return _NEWER.format(present)
    return f"the database is at revision {present}, the code needs {head}: run `rbac-api init`"


def is_empty(database: Database) -> bool:
    """Return whether nothing has been migrated here yet."""
    with database.reading() as connection:
        return present_revision(connection) is None


def head_revision() -> str:
    """Return the newest revision of this release."""
    return _revisions(MIGRATIONS)[0]


def present_revision(connection: Connection) -> str | None:
    """Return the revision that the database records."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def _revisions(place: Path) -> tuple[str, frozenset[str]]:
    """Return the newest revision in a folder of migrations, and all of them; they are numbered, and one
    follows the other."""
    known = frozenset(file.stem.partition("_")[0] for file in (place / "versions").glob("*.py"))
    return max(known), known


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
