"""The program a benchmark starts: gunicorn with exactly the service's options, around one of two applications.

``python -m benchmarks.server ours`` serves the real ``create_app`` with one more route, guarded as any application's routes may be;
``bare`` serves the same route in a Flask application with nothing else.
"""

from __future__ import annotations

import sys
from typing import Any

from flask import Flask

from benchmarks.stage import PERMISSION
from rbac_api.cli.serve import Server
from rbac_api.factory import create_app
from rbac_api.guard.requires import requires
from rbac_api.settings import Settings

ROUTE = "/bench"


def tiny() -> tuple[bytes, int, dict[str, str]]:
    """The least a route can do."""
    return b'{"ok":true}', 200, {"Content-Type": "application/json"}


class BenchServer(Server):
    """The service's server with another application in it."""

    def __init__(self, settings: Settings, kind: str) -> None:
        self.kind = kind
        super().__init__(settings)

    def load(self) -> Any:
        if self.kind == "bare":
            app, view = Flask("bare"), tiny
        else:
            app, view = create_app(self.settings), requires(PERMISSION)(tiny)
        app.add_url_rule(ROUTE, view_func=view)
        return app


if __name__ == "__main__":
    BenchServer(Settings.from_environment(), sys.argv[1]).run()
