"""For each need of the ground, a way to have it unmet: a real server or file that lacks it, wherever that can be had."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from sqlalchemy import Pool, event

from rbac_api.cli.prepare import prepare
from rbac_api.database import requirements_postgresql as ground_postgresql
from rbac_api.database import requirements_sqlite as ground_sqlite
from rbac_api.database.engine import Database
from rbac_api.settings import Settings
from tests.builders import settings_for
from tests.database.wire import Wire
from tests.servers.pooler import TransactionPooler
from tests.servers.postgres import PostgresServer, start_postgres

MOUNT = "36 35 98:0 / {} rw,noatime shared:1 - {} somewhere:/export rw"


@dataclass
class Site:
    """Where something is to be broken."""

    postgres: PostgresServer
    folder: Path
    patch: pytest.MonkeyPatch
    opened: ExitStack

    def ready(self, url: str) -> Settings:
        """Settings for a database that was prepared while nothing was broken yet."""
        settings = settings_for(url, database_timeout=1)  # in DELETE mode a reader keeps a writer waiting
        database = Database(settings)
        prepare(settings, database)
        database.dispose()
        return settings

    def on_postgresql(self, *statements: str) -> Settings:
        """The same, with these statements executed since; ``{}`` stands for the database's name."""
        settings = self.ready(self.postgres.create_database())
        name = urlsplit(settings.database_url).path.lstrip("/")
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.format(name).encode())
        return settings

    def on_sqlite(self, pragma: str = "") -> Settings:
        """The same in a file, with this pragma on every connection since."""
        settings = self.ready(f"sqlite:///{self.folder}/own.db")
        if pragma:
            listen = _executing(pragma, str(self.folder))
            event.listen(Pool, "checkout", listen)  # after what this service does with a new connection
            self.opened.callback(event.remove, Pool, "checkout", listen)
        return settings

    def mounted(self, kind: str) -> Settings:
        """The same, on a file system of this kind."""
        settings = self.on_sqlite()
        mounts = self.folder / "mountinfo"
        lines = [
            MOUNT.format(place, made)
            for place, made in (("/", "ext4"), (self.folder.resolve(), kind), ("/else", "xfs"))
        ]
        mounts.write_text("\n".join(lines) + "\n")
        self.patch.setattr(ground_sqlite, "MOUNTS", mounts)
        return settings


def _executing(pragma: str, folder: str) -> Callable[..., None]:
    def listen(connection: Any, *_rest: Any) -> None:
        ours = isinstance(connection, sqlite3.Connection)
        if ours and connection.execute("PRAGMA database_list").fetchone()[2].startswith(folder):
            connection.execute(pragma)

    return listen


class Spread(Wire):
    """Leads each connection to the next of two servers."""

    def __init__(self, url: str, other: str) -> None:
        parts = urlsplit(other)
        self._others = (parts.hostname or "", parts.port or 0)
        super().__init__(url)
        self._targets = cycle([self._target, self._others])

    def _next_target(self) -> tuple[str, int]:
        return next(self._targets)


def in_encoding(site: Site, encoding: str) -> Settings:
    url = site.postgres.create_database()
    name = urlsplit(url).path.lstrip("/")
    with psycopg.connect(site.postgres.url, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name}".encode())
        connection.execute(
            f"CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'".encode()
        )
    return settings_for(url)


def behind_a_pooler(site: Site) -> Settings:
    settings = site.on_postgresql()
    pooler = TransactionPooler(settings.database_url)
    site.opened.callback(pooler.close)
    return replace(settings, database_url=pooler.url)


def reset_by_a_pooler(site: Site) -> Settings:
    """As some do it before they hand a connection on."""

    def listen(connection: Any, *_rest: Any) -> None:
        if isinstance(connection, psycopg.Connection):
            connection.execute("RESET ALL")
            connection.commit()

    settings = site.on_postgresql()
    event.listen(Pool, "checkout", listen)
    site.opened.callback(event.remove, Pool, "checkout", listen)
    return settings


def on_a_replica(site: Site) -> Settings:
    server = start_postgres()
    site.opened.callback(server.stop)
    settings = site.ready(server.create_database())
    (server._owned().folder / "data" / "standby.signal").touch()
    server.restart()
    return settings


def on_two_servers(site: Site) -> Settings:
    settings, other = site.on_postgresql(), start_postgres()
    site.opened.callback(other.stop)
    name = urlsplit(settings.database_url).path.lstrip("/")
    with psycopg.connect(other.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    spread = Spread(settings.database_url, other.url)
    site.opened.callback(spread.close)
    return replace(settings, database_url=spread.url)


def with_an_old(module: object, oldest: object) -> Callable[[Site], Settings]:
    def make(site: Site) -> Settings:
        settings = site.on_postgresql() if module is ground_postgresql else site.on_sqlite()
        site.patch.setattr(module, "MIN_VERSION", oldest)
        return settings

    return make


def with_patched(place: object, name: str, value: object) -> Callable[[Site], Settings]:
    def make(site: Site) -> Settings:
        settings = site.on_sqlite()
        site.patch.setattr(place, name, value)
        return settings

    return make


ALTER = "ALTER DATABASE {} "
POSTGRESQL: dict[str, Callable[[Site], Settings]] = {
    "server version": with_an_old(ground_postgresql, 99),
    "encoding": lambda site: in_encoding(site, "LATIN1"),
    "sessions": behind_a_pooler,
    "session settings": reset_by_a_pooler,
    "one server": on_a_replica,
    "transactions": lambda site: site.on_postgresql(ALTER + "SET session_replication_role = replica"),
    "schema to use": lambda site: site.on_postgresql(ALTER + "SET search_path = nowhere"),
    "durability": lambda site: site.on_postgresql(ALTER + "SET synchronous_commit = off"),
    "time limits": lambda site: site.on_postgresql(ALTER + "SET statement_timeout = 20000"),
    "connections": lambda site: site.on_postgresql(ALTER + "CONNECTION LIMIT 20"),
    "collation": lambda site: site.on_postgresql(
        "UPDATE pg_database SET datcollversion = '0.1' WHERE datname = '{}'"
    ),
}
SQLITE: dict[str, Callable[[Site], Settings]] = {
    "library version": with_an_old(ground_sqlite, (99, 0, 0)),
    "threads": with_patched(sqlite3, "threadsafety", 1),
    "text search": with_patched(ground_sqlite, "_FTS5", "SELECT 0"),
    "journal": lambda site: site.on_sqlite("PRAGMA journal_mode=DELETE"),
    "durability": lambda site: site.on_sqlite("PRAGMA synchronous=OFF"),
    "references": lambda site: site.on_sqlite("PRAGMA foreign_keys=OFF"),
    "file system": lambda site: site.mounted("nfs4"),
    "write access": with_patched(os, "access", lambda *_: False),  # root may write everywhere
    "lasting storage": lambda site: site.mounted("tmpfs"),
    "disk space": with_patched(ground_sqlite, "MIN_FREE_BYTES", 1 << 62),
}
OTHERS: dict[str, Callable[[Site], Settings]] = {
    "encoding: SQL_ASCII": lambda site: in_encoding(site, "SQL_ASCII"),
    "one server: two of them": on_two_servers,
    "transactions: read-only": lambda site: site.on_postgresql(
        ALTER + "SET default_transaction_read_only = on"
    ),
}
BREAKAGES = {
    **{("postgresql", name): make for name, make in (POSTGRESQL | OTHERS).items()},
    **{("sqlite", name): make for name, make in SQLITE.items()},
}
