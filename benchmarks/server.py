"""The program that a benchmark starts: gunicorn with the service's options and one of three applications.

``python -m benchmarks.server ours`` serves the real ``create_app`` with one more route, guarded like a route
of any application. ``bare`` serves the same route in a Flask application without anything else. ``floor``
commits one row for each request, with the driver alone, and for one route computes a password's hash before.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from contextlib import suppress
from typing import Any

import psycopg
from flask import Flask

from benchmarks.stage import PERMISSION
from rbac_api.cli.serve import Server
from rbac_api.factory import create_app
from rbac_api.guard.enforcement.decorators import requires
from rbac_api.guard.hashing import Hasher
from rbac_api.settings import Settings

ROUTE = "/bench"
FLOOR, FLOOR_WITH_HASH = "/floor", "/floor/hash"
_CREATE = "CREATE TABLE IF NOT EXISTS bench_floor (id INTEGER, note TEXT)"
_INSERT = "INSERT INTO bench_floor VALUES (1, 'as short as a row can be')"


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


def floor(settings: Settings) -> Flask:
    """Flask, and routes that commit one row, as durable as the service's own."""
    app, hasher, own = Flask("floor"), Hasher(settings), threading.local()

    def commit() -> tuple[bytes, int]:
        if not hasattr(own, "connection"):
            own.connection = _connect(settings)
            with suppress(psycopg.errors.UniqueViolation):  # another thread is making it
                own.connection.execute(_CREATE)
        own.connection.execute(_INSERT)
        return b"{}", 200

    def commit_after_hash() -> tuple[bytes, int]:
        with hasher.slot():
            hasher.check("a password", None)
        return commit()

    app.add_url_rule(FLOOR, view_func=commit, methods=["POST"])
    app.add_url_rule(FLOOR_WITH_HASH, view_func=commit_after_hash, methods=["POST"])
    return app


def _connect(settings: Settings) -> Any:
    if not settings.on_sqlite:
        return psycopg.connect(settings.url, autocommit=True)
    path = settings.url.removeprefix("sqlite:///") + ".floor"
    connection = sqlite3.connect(path, isolation_level=None, timeout=settings.database_timeout)
    for pragma in ("journal_mode=WAL", "synchronous=FULL"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


if __name__ == "__main__":
    Server(Settings.from_environment(), {"bare": bare, "ours": ours, "floor": floor}[sys.argv[1]]).run()
