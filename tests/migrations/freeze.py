"""Freezes what a revision makes of an empty database: run `python -m tests.migrations.freeze REVISION` once, when it is released.

The statements are written down as they were executed, one file per engine.  From then on every later release must be able to migrate a
database made by them, and nobody can change the released revision without a test saying so.
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
    """The statements as they were frozen."""
    return (FROZEN / f"{revision}_{engine}.sql").read_text(encoding="utf-8").removesuffix(END).split(END)


def main(revision: str) -> None:
    server = start_postgres()
    try:
        for engine, url in (
            ("sqlite", f"sqlite:///{tempfile.mkdtemp()}/x.db"),
            ("postgresql", server.create_database()),
        ):
            text = END.join(statements(url, revision)) + END
            (FROZEN / f"{revision}_{engine}.sql").write_text(text, encoding="utf-8")
    finally:
        server.stop()


if __name__ == "__main__":
    main(sys.argv[1])
