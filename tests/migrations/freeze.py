"""Freezes what a revision does: run `python -m tests.migrations.freeze REVISION` once, when it is released.

The statements are written down as they were executed after those of the revisions before it, one file per engine.  From then on every
later release must be able to migrate a database made by them, and nobody can change the released revision without a test saying so.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import event

from rbac_api.database.engine import Database
from rbac_api.database.migrate import upgrade
from tests.builders import settings_for
from tests.servers.postgres import start_postgres

FROZEN = Path(__file__).with_name("frozen")
END = ";\n\n"
_MAKES = ("CREATE", "ALTER", "INSERT", "UPDATE", "DELETE", "DROP")


def statements(url: str, revision: str) -> list[str]:
    """What migrating the empty database at ``url`` executes."""
    database, found = Database(settings_for(url)), []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        text = statement.strip()
        if changes_something(text):
            found.append("\n".join(line.rstrip() for line in text.replace("\t", "    ").splitlines()))
            assert not parameters, "a frozen statement has its values in it"

    event.listen(database.engine, "before_cursor_execute", note)
    upgrade(database, revision)
    database.dispose()
    return found


def changes_something(statement: str) -> bool:
    """Whether it is one of those that are frozen; Alembic's begin with an empty line."""
    return statement.lstrip().startswith(_MAKES)


def frozen(engine: str, revision: str) -> list[str]:
    """All statements up to this revision, as they were frozen."""
    files = sorted(FROZEN.glob(f"*_{engine}.sql"))
    texts = [file.read_text(encoding="utf-8") for file in files if file.name[:4] <= revision]
    return [statement for text in texts for statement in text.removesuffix(END).split(END)]


def main(revision: str) -> None:
    server = start_postgres()
    try:
        for engine, url in (
            ("sqlite", f"sqlite:///{tempfile.mkdtemp()}/x.db"),
            ("postgresql", server.create_database()),
        ):
            made, file = statements(url, revision), FROZEN / f"{revision}_{engine}.sql"
            file.unlink(missing_ok=True)
            before = frozen(engine, revision)
            assert made[: len(before)] == before, "an earlier revision is not what it was"
            file.write_text(END.join(made[len(before) :]) + END, encoding="utf-8")
    finally:
        server.stop()


if __name__ == "__main__":
    main(sys.argv[1])
