"""Databases at old revisions, and migrations of tomorrow."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rbac_api.database import migrate
from rbac_api.database.engine import Database
from tests.builders import settings_for
from tests.migrations.freeze import frozen
from tests.migrations.population import LATEST, populate

TOMORROW = '''"""A revision of tomorrow."""
import sqlalchemy as sa
from alembic import op

revision = "{0}"
down_revision = "{1}"
branch_labels = None
depends_on = None


def upgrade() -> None:
{2}


def downgrade() -> None:
    raise RuntimeError("not back")
'''


@pytest.fixture
def database(empty_url: str) -> Iterator[Database]:
    """An empty database of this test's own."""
    found = Database(settings_for(empty_url))
    yield found
    found.dispose()


@pytest.fixture
def old(database: Database, engine: str) -> Database:
    """A database that the first release made, and its users filled."""
    return _made_by("0001", database, engine)


@pytest.fixture
def present(database: Database, engine: str) -> Database:
    """A database of the latest revision, filled."""
    return _made_by(LATEST, database, engine)


def _made_by(revision: str, database: Database, engine: str) -> Database:
    with (
        database.engine.connect() as connection,
        connection.execution_options(writer=True, **database.transactional).begin(),
    ):
        for statement in frozen(engine, revision):
            connection.exec_driver_sql(statement)
        populate(connection, revision)
    return database


@pytest.fixture
def tomorrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """``tomorrow("op.drop_column(…)")`` adds a revision to what this release knows, for this test."""
    place = tmp_path / "migrations"
    shutil.copytree(migrate.MIGRATIONS, place)
    monkeypatch.setattr(migrate, "MIGRATIONS", place)
    numbers = iter(((LATEST, "9001"), ("9001", "9002")))

    def add(*lines: str) -> Path:
        before, revision = next(numbers)
        body = "\n".join(f"    {line}" for line in lines)
        (place / "versions" / f"{revision}.py").write_text(TOMORROW.format(revision, before, body))
        return place

    return add
