"""The program that a benchmark starts: gunicorn with the service's options and one of two applications.

``python -m benchmarks.server ours`` serves the real ``create_app`` with one more route, guarded like a route
of any application. ``bare`` serves the same route in a Flask application without anything else.
"""

from __future__ import annotations

import os
import sys

from flask import Flask

from benchmarks.stage import PERMISSION
from rbac_api.cli.serve import Server
from rbac_api.factory import create_app
from rbac_api.guard.enforcement.decorators import requires
from rbac_api.settings import Settings

ROUTE = "/bench"


def tiny() -> tuple[bytes, int, dict[str, str]]:
    """Name the worker that answers, the least that a route can do."""
    return b'{"worker":%d}' % os.getpid(), 200, {"Content-Type": "application/json"}


def bare(_settings: Settings) -> Flask:
    """Flask and one route."""
    app = Flask("bare")
    app.add_url_rule(ROUTE, view_func=tiny)
    return app


def ours(settings: Settings) -> Flask:
    """The whole service, and the same route under its guard."""
    app = create_app(settings)
    app.add_url_rule(ROUTE, view_func=requires(PERMISSION)(tiny))
    return app


if __name__ == "__main__":
    Server(Settings.from_environment(), {"bare": bare, "ours": ours}[sys.argv[1]]).run()
