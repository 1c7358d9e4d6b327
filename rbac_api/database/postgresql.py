"""Makes the engine for PostgreSQL: what each connection is set to, and how a lost server is noticed."""

from __future__ import annotations

import select
from typing import Any

from sqlalchemy import Dialect, Engine, ExceptionContext, create_engine, event, make_url
from sqlalchemy.exc import InvalidatePoolError

from rbac_api.settings import Settings

# A read-only or stopping server: the connection is useless, though it still answers (a demoted primary does).
_LOST_STATES = frozenset({"25006", "57P01", "57P02", "57P03"})
POSTGRESQL_OVERFLOW = 8  # connections that a pool opens beyond its size while needed


def keepalive_options(seconds: float) -> dict[str, int]:
    """Return libpq's options (seconds, milliseconds) that make a connection notice a lost server.

    Without ``tcp_user_timeout`` TCP repeats a statement to a host that vanished for a quarter of an hour.
    """
    probes = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
    return {**probes, "tcp_user_timeout": round(seconds * 1000)}


def session_settings(settings: Settings) -> dict[str, str]:
    """Return what each connection to PostgreSQL is set to, whatever the server, the database or the role has
    by default.

    They are set by statement and not by the startup packet's ``options``: an operator's address may have some
    there of its own, such as ``search_path``, and poolers refuse or drop them.
    """
    return {
        "client_encoding": "UTF8",
        "DateStyle": "ISO, MDY",
        "idle_in_transaction_session_timeout": "1min",
        "lock_timeout": f"{settings.database_timeout * 1000}ms",
        "standard_conforming_strings": "on",
        "TimeZone": "UTC",
    }


def postgresql_engine(settings: Settings) -> Engine:
    """Return an engine whose sessions have these settings, and that notices a server that is lost."""
    engine = create_engine(
        make_url(settings.url.replace("postgres://", "postgresql://", 1)).set(
            drivername="postgresql+psycopg"
        ),
        # Reading takes no transaction. ``Database`` sets the level of those that there are: else a default of
        # the server, the database or the role decides, and a writer could read rows as they were before it
        # had the lock.
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        connect_args={
            "connect_timeout": settings.database_timeout,
            "application_name": "rbac-api",
            "client_encoding": "UTF8",  # already while the dialect asks who the server is
            **keepalive_options(settings.database_timeout),
        },
        pool_size=settings.threads + 2,
        max_overflow=POSTGRESQL_OVERFLOW,
        pool_timeout=settings.database_timeout,
        hide_parameters=True,  # as on SQLite
    )
    _set_up(engine, session_settings(settings))
    return engine


def _set_up(engine: Engine, wanted: dict[str, str]) -> None:
    from psycopg.types.string import TextLoader  # loaded where it is used, as the driver in ``freshness``

    asked = "SELECT " + ", ".join(["set_config(%s, %s, false)"] * len(wanted))

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.autocommit = True
        connection.execute(asked, [part for pair in wanted.items() for part in pair])
        connection.adapters.register_loader("uuid", TextLoader)  # ids are texts here

    @event.listens_for(engine, "checkout")
    def _(connection: Any, _record: Any, _proxy: Any) -> None:
        if _has_input(connection):
            _ping(engine.dialect, connection)

    @event.listens_for(engine, "handle_error")
    def _(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) in _LOST_STATES:
            context.is_disconnect = True


def _has_input(connection: Any) -> bool:
    """Return whether the server closed this idle connection, or sent a notice.

    The system knows, so nothing is sent. A ping at every use would be a round trip more for each request.
    """
    if connection.closed:
        return True
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


def _ping(dialect: Dialect, connection: Any) -> None:
    """Make the pool open other connections if the server does not answer on this one."""
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as fault:
        raise InvalidatePoolError(str(fault)) from fault
