"""Checks what this service requires of PostgreSQL, and of a pooler in front of it."""

from __future__ import annotations

from typing import Any

import psycopg
from sqlalchemy import Connection, text

from rbac_api.database.engine import Database
from rbac_api.database.postgresql import POSTGRESQL_OVERFLOW, session_settings
from rbac_api.database.requirements import Seen, need
from rbac_api.database.sessions import keeps_its_session

MIN_VERSION = 15
CONNECTIONS_BESIDE_THE_POOL = 2  # of each process: its follower of the trail, and its publisher
_ONE = text("SELECT pg_postmaster_start_time()::text, pg_is_in_recovery()")
_MODES = text(
    "SELECT current_setting('transaction_isolation'), current_setting('transaction_read_only'),"
    " current_setting('session_replication_role')"
)
_COLLATION = text(
    "SELECT datcollversion, pg_database_collation_actual_version(oid) FROM pg_database WHERE datname ="
    " current_database()"
)
_LIMITS = text(
    "SELECT least(current_setting('max_connections')::int -"
    " current_setting('superuser_reserved_connections')::int,"
    " (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database()),"
    " (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user))"
)


@need("server version", f"Use PostgreSQL {MIN_VERSION} or newer.")
def _version(_database: Database, connection: Connection) -> Seen:
    number = int(_shown(connection, "server_version_num"))
    return number >= MIN_VERSION * 10_000, f"PostgreSQL {_shown(connection, 'server_version')}"


@need(
    "encoding",
    "Create a database with `CREATE DATABASE rbac TEMPLATE template0 ENCODING 'UTF8'`, move the rows there"
    " with pg_dump and psql,"
    " and point RBAC_DATABASE_URL to it.",
)
def _encoding(_database: Database, connection: Connection) -> Seen:
    found = _shown(connection, "server_encoding")
    return found == "UTF8", f"the database is in {found}" + (
        "" if found == "UTF8" else ", which cannot hold every name"
    )


@need(
    "sessions",
    "Connect directly to the server, or through a pooler in session mode (PgBouncer: pool_mode = session).",
)
def _sessions(database: Database, connection: Connection) -> Seen:
    kept: Any = connection.connection.driver_connection
    try:
        if keeps_its_session(kept, database):
            return True, "each connection is a session of its own"
    except psycopg.Error as fault:
        return False, f"LISTEN fails: {' '.join(str(fault).split())}"
    return False, (
        "connections do not keep their session, as behind a pooler in transaction mode: changes would not be"
        " in force at once"
    )


@need(
    "session settings",
    "Let the pooler between pass on `SET`, and remove what the role or the database sets for these (ALTER"
    " ROLE … RESET …).",
)
def _session_settings(database: Database, connection: Connection) -> Seen:
    wanted = session_settings(database.settings)
    asked = text(
        "SELECT name, current_setting(name) = set_config(name, setting, true) FROM unnest(CAST(:names AS"
        " text[]),"
        " CAST(:wanted AS text[])) AS wanted (name, setting)"
    )
    given = {"names": list(wanted), "wanted": list(wanted.values())}
    odd = [name for name, equal in connection.execute(asked, given) if not equal]
    return not odd, f"not as this service set them: {', '.join(odd)}" if odd else "as this service sets them"


@need(
    "one server",
    "Point RBAC_DATABASE_URL to the primary alone: no replica, no address that spreads connections over"
    " several servers.",
)
def _one_server(database: Database, connection: Connection) -> Seen:
    here = connection.execute(_ONE).one()
    with database.unlocked() as other:
        there = other.execute(_ONE).one()
    if here[1] or there[1]:
        return (
            False,
            "the server is a replica (hot standby), which is behind its primary and cannot be written to",
        )
    if here[0] != there[0]:
        return False, "two connections led to two servers"
    return True, "a primary, the same for every connection"


@need(
    "transactions",
    "Remove default_transaction_read_only and session_replication_role from the server's, the database's and"
    " the role's settings.",
)
def _transactions(database: Database, _connection: Connection) -> Seen:
    with database.unlocked() as writer:
        isolation, read_only, replication = writer.execute(_MODES).one()
    if (isolation, read_only, replication) == ("read committed", "off", "origin"):
        return True, "read committed, writable, with triggers"
    return False, f"isolation {isolation}, read-only {read_only}, session_replication_role {replication}"


@need(
    "schema to use",
    "Create the schema and give it to the role (`CREATE SCHEMA rbac AUTHORIZATION rbac`), or correct"
    " search_path.",
)
def _schema(_database: Database, connection: Connection) -> Seen:
    found = connection.execute(text("SELECT current_schema()")).scalar()
    if found is None:
        return (
            False,
            f"no schema of search_path ({_shown(connection, 'search_path')}) exists and is open to the role",
        )
    return True, str(found)


@need(
    "durability",
    "Set fsync, full_page_writes and synchronous_commit to on: else a crash can bring back what was revoked.",
    essential=False,
)
def _durability(_database: Database, connection: Connection) -> Seen:
    names = ("fsync", "full_page_writes", "synchronous_commit")
    off = [name for name in names if _shown(connection, name) == "off"]
    return not off, f"{', '.join(off)} off" if off else "what is answered survives a crash of the server"


@need(
    "time limits",
    "Remove these limits from the role's, the database's and the server's settings, or raise them above an"
    " hour.",
    essential=False,
)
def _time_limits(_database: Database, connection: Connection) -> Seen:
    asked = text(
        "SELECT name, setting FROM pg_settings WHERE name IN ('statement_timeout', 'transaction_timeout')"
        " AND setting::bigint BETWEEN 1 AND 3600000"
    )
    short = [f"{name} is {setting} ms" for name, setting in connection.execute(asked)]
    return not short, (
        f"{', '.join(short)}: a migration, an import or an export may be cut off"
        if short
        else "none below an hour"
    )


@need(
    "connections",
    "Raise max_connections (or the role's or the database's CONNECTION LIMIT), or lower RBAC_WORKERS or"
    " RBAC_THREADS.",
    essential=False,
)
def _connections(database: Database, connection: Connection) -> Seen:
    settings, pool = database.settings, database.engine.pool
    each = pool.size() + POSTGRESQL_OVERFLOW + CONNECTIONS_BESIDE_THE_POOL  # type: ignore[attr-defined]
    wanted, allowed = settings.worker_count * each, int(connection.execute(_LIMITS).scalar() or 0)
    return wanted <= allowed, f"this node may open {wanted}, the server allows {allowed}"


@need(
    "collation",
    "Rebuild the indexes (`REINDEX DATABASE`), then `ALTER DATABASE … REFRESH COLLATION VERSION`: else two"
    " users may get one name.",
    essential=False,
)
def _collation(_database: Database, connection: Connection) -> Seen:
    made, now = connection.execute(_COLLATION).one()
    return (
        made == now,
        f"made with version {made}, now {now}" if made != now else f"version {now or 'unversioned'}",
    )


def _shown(connection: Connection, name: str) -> str:
    return str(connection.execute(text("SELECT current_setting(:name)"), {"name": name}).scalar())
