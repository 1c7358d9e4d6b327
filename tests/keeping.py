"""Rows that are kept and put back in place: in a file beside the database on SQLite, in a schema of their own on PostgreSQL."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg

from rbac_api.database.engine import WRITE_LOCK

TABLES = (
    "users", "permissions", "roles", "role_permissions", "role_inheritance", "assignments", "sessions", "refresh_tokens", "trail_events",
    "signing_keys", "idempotency_keys", "password_setups", "signin_attempts", "service_accounts", "client_secrets", "totp_factors",
    "recovery_codes", "incidents", "revocations", "constraints", "constraint_roles", "activations", "decisions", "policy_changes",
    "key_uses", "instance", "permission_uses", "personal_values",
    "trail_domains", "trail_nodes", "trail_outbox", "user_search", "domains",
)  # fmt: skip
AT_ONE_MOMENT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
EMPTY = "".join(f"DELETE FROM public.{table};" for table in reversed(TABLES))


class SqliteRows:
    """The whole file, copied page by page."""

    def __init__(self, url: str, folder: Path) -> None:
        self._database, self._folder = url.removeprefix("sqlite:///"), folder

    def keep(self, name: str) -> None:
        """Remember the rows as they are."""
        _copy(self._database, self._file(name))

    def put_back(self, name: str) -> None:
        """Make the rows what they were."""
        _copy(self._file(name), self._database)

    def close(self) -> None:
        """Nothing is open."""

    def _file(self, name: str) -> str:
        return f"{self._folder}/kept {name}.db"


class PostgresRows:
    """Table by table, over one connection: to open one for each test would cost seven times as much."""

    def __init__(self, url: str) -> None:
        self._connection = psycopg.connect(url, autocommit=True)

    def keep(self, name: str) -> None:
        """Remember the rows as they are, of all tables at one moment: an event that is linked meanwhile would be kept without its
        values, or they without it, and the next event with its number could not be written in any test that follows."""
        copies = "".join(f'CREATE TABLE "kept {name}".{table} AS TABLE public.{table};' for table in TABLES)
        self._do(
            f'{AT_ONE_MOMENT}; DROP SCHEMA IF EXISTS "kept {name}" CASCADE; CREATE SCHEMA "kept {name}"; {copies}'
        )

    def put_back(self, name: str) -> None:
        """Make the rows what they were.  A superuser may look away from triggers and references for a moment; the application's own
        role could not.  Events of the test before may be linked at this moment: they would stay, so this takes the lock of writers."""
        copies = "".join(f'INSERT INTO public.{table} TABLE "kept {name}".{table};' for table in TABLES)
        lock = f"SELECT pg_advisory_xact_lock({WRITE_LOCK});"
        self._do(f"{lock} SET LOCAL session_replication_role = replica; {EMPTY} {copies}")

    def close(self) -> None:
        """Let the connection go."""
        self._connection.close()

    def _do(self, statements: str) -> None:
        self._connection.execute(f"BEGIN; {statements} COMMIT;".encode())


Rows = SqliteRows | PostgresRows


def _copy(source: str, target: str) -> None:
    opened, filled = sqlite3.connect(source), sqlite3.connect(target)
    try:
        opened.backup(filled)
    finally:
        opened.close()
        filled.close()
