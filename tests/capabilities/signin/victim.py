"""A service that is killed in the middle of a rotation.  Run as a program: URL of the database, then one refresh token per point.

At each point a child process presents its token to an application of its own and kills itself, as ``kill -9`` would: just before a
statement, just before the commit, or after it, with the answer still unsent.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from flask import Flask
from sqlalchemy import event

from rbac_api.factory import create_app
from tests.builders import settings_for

# On PostgreSQL one statement does it all, and commits.
POINTS = {
    "sqlite": (
        "UPDATE sessions", "UPDATE refresh_tokens", "INSERT INTO refresh_tokens", "INSERT INTO trail_events", "COMMIT", "the answer",
    ),
    "postgresql": ("WITH unchanged AS", "done: WITH unchanged AS", "the answer"),
}  # fmt: skip
COMMITTED = {"done: WITH unchanged AS", "the answer"}


def die_at(point: str, app: Flask, token: str) -> None:
    """Refresh, and never come back from ``point``."""
    engine = app.extensions["rbac-api"].database.engine

    def watch(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.startswith(point.removeprefix("done: ")):
            os.kill(os.getpid(), signal.SIGKILL)

    moment = "after" if point.startswith("done: ") else "before"
    event.listen(engine, f"{moment}_cursor_execute", watch)
    if point == "COMMIT":
        event.listen(engine, "commit", lambda _connection: os.kill(os.getpid(), signal.SIGKILL))
    answer = app.test_client().post("/v1/auth/refresh", json={"refresh_token": token})
    if point == "the answer" and answer.status_code == 200:
        os.kill(os.getpid(), signal.SIGKILL)


def main(url: str, *tokens: str) -> None:
    """Write down the signal that ended the child of each point."""
    app = create_app(settings_for(url))
    app.extensions["rbac-api"].database.dispose()  # a connection must not be shared with a child
    for point, token in zip(POINTS[url.partition(":")[0]], tokens, strict=True):
        child = os.fork()
        if child == 0:
            die_at(point, app, token)
            os._exit(1)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.WTERMSIG(status)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
