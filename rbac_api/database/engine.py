"""Makes engines, set up so that SQLite and PostgreSQL keep the same guarantees (the package's docstring names
them)."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, make_url, text

from rbac_api import clock
from rbac_api.database.constraints import DatabaseDown, translated
from rbac_api.database.write_queue import Queue, Turns
from rbac_api.settings import Settings, SettingsRefused

WRITE_LOCK = 0x52424143  # "RBAC": the one advisory lock that every writing transaction takes first
WRITERS_IN_SERVER = 3
_TAKE_LOCK = text("SELECT set_config('lock_timeout', :patience, true), pg_advisory_xact_lock(:key)")
# A read-only or stopping server: the connection is useless, though it still answers (a demoted primary does).
_LOST_STATES = frozenset({"25006", "57P01", "57P02", "57P03"})

POSTGRESQL_OVERFLOW = 8  # connections that a pool opens beyond its size while needed
Announcement = Callable[[int], None]


class Database:
    """One database, as this process uses it.  Connections come only from its methods, such as ``reading`` and
    ``writing``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        # Until when the last results are recent, and the results (``requirements.recent_results``).
        self.looked: tuple[float, list[Any]] = (0.0, [])
        self.on_sqlite = settings.on_sqlite
        self.timeout: float = settings.database_timeout
        self.engine = _sqlite_engine(settings) if self.on_sqlite else _postgresql_engine(settings)
        self._turns: Turns = threading.Lock() if self.on_sqlite else Queue(WRITERS_IN_SERVER)
        self._listeners: list[Announcement] = []

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection that sees committed rows: one snapshot on SQLite, one per statement on
        PostgreSQL."""
        with translated(), self.engine.connect() as connection:
            yield connection if self.on_sqlite else connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def one_moment(self) -> Iterator[Connection]:
        """Open a reading connection where all statements see the rows of one moment."""
        options = {} if self.on_sqlite else {"isolation_level": "REPEATABLE READ"}
        with translated(), self.engine.connect() as connection:
            yield connection.execution_options(**options)

    @contextmanager
    def unlocked(self) -> Iterator[Connection]:
        """Open a transaction without the write lock, for work that writes no row (PostgreSQL)."""
        with translated(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def streaming(self) -> Iterator[Connection]:
        """Open a reading transaction that may hold a server-side cursor: for answers too long for memory."""
        with translated(), self.engine.connect() as connection:
            yield connection.execution_options(stream_results=True, max_row_buffer=500)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open the one writing transaction; no other overlaps it.  Commits unless the block raises."""
        with translated(), self._waiting_turn() as patience, self.engine.connect() as connection:
            connection.info["published"] = None
            with connection.execution_options(writer=True, patience=patience).begin():
                if not self.on_sqlite:
                    connection.execute(
                        _TAKE_LOCK, {"key": WRITE_LOCK, "patience": f"{round(patience * 1000)}ms"}
                    )
                yield connection
            published = connection.info.pop("published")
        if published is not None:
            for listener in self._listeners:
                listener(published)

    def on_publication(self, listener: Announcement) -> None:
        """Call ``listener`` with the trail's newest ``seq`` after each commit that published one (see
        ``publish``)."""
        self._listeners.append(listener)

    def off_publication(self, listener: Announcement) -> None:
        """Stop calling this listener, if it was one."""
        self._listeners = [other for other in self._listeners if other != listener]

    def replaced(self) -> bool:
        """Return whether the database's file was removed or replaced since it was opened (SQLite)."""
        if not self.on_sqlite:
            return False
        with self.reading() as connection:
            return bool(connection.info["file"] != _identity(Path(self.engine.url.database or "")))

    @contextmanager
    def patient(self, seconds: float) -> Iterator[None]:
        """Wait this long to write, for a start: another node may migrate or load meanwhile."""
        usual, self.timeout = self.timeout, seconds
        try:
            yield
        finally:
            self.timeout = usual

    def watch_pool(self, lent: Callable[[], None], returned: Callable[[], None]) -> None:
        """Call these whenever a pooled connection is lent and returned."""
        event.listen(self.engine, "checkout", lambda *_: lent())
        event.listen(self.engine, "checkin", lambda *_: returned())

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()

    @contextmanager
    def _waiting_turn(self) -> Iterator[float]:
        """Wait for the other threads of this process; the database's own lock waits for other processes.

        Yields how many seconds of the timeout are left for that lock, so that one timeout limits both waits.
        """
        began = clock.monotonic()
        if not self._turns.acquire(timeout=self.timeout):
            raise DatabaseDown(internal="waited too long for a turn to write in this process")
        try:
            yield max(0.001, began + self.timeout - clock.monotonic())
        finally:
            self._turns.release()


def publish(connection: Connection, seq: int) -> None:
    """Note that this transaction changes decisions, up to trail event ``seq``; its commit notifies all
    workers."""
    connection.info["published"] = seq
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_notify('rbac_trail', :seq)"), {"seq": str(seq)})


# ``hide_parameters`` in both: an unexpected error is logged whole, and the log must not hold hashes or sealed
# keys.
def _sqlite_engine(settings: Settings) -> Engine:
    engine = create_engine(
        settings.url,
        connect_args={"timeout": settings.database_timeout, "check_same_thread": False},
        pool_size=settings.threads + 4,
        max_overflow=settings.signin_queue,
        pool_timeout=settings.database_timeout,
        hide_parameters=True,
    )

    @event.listens_for(engine, "do_connect")
    def _(*_arguments: Any) -> None:
        _make_private(Path(engine.url.database or ""))

    @event.listens_for(engine, "connect")
    def _(connection: Any, record: Any) -> None:
        record.info["file"] = _identity(Path(engine.url.database or ""))
        connection.isolation_level = None  # the driver must not open transactions of its own
        connection.execute(f"PRAGMA busy_timeout={settings.database_timeout * 1000}")
        _switch_to_wal(connection, settings.database_timeout)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get("writer"):
            connection.exec_driver_sql("BEGIN")
            return
        full = float(settings.database_timeout)
        _begin_writing(connection, options.get("patience", full), full)

    return engine


def _begin_writing(connection: Connection, patience: float, full: float) -> None:
    """Take SQLite's write lock, waiting for what the wait in this process has left of the timeout."""
    if abs(patience - full) < 0.01:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        return
    raw: Any = connection.connection.driver_connection
    raw.execute(f"PRAGMA busy_timeout={round(patience * 1000)}")
    try:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    finally:
        raw.execute(f"PRAGMA busy_timeout={round(full * 1000)}")


def keepalive_options(seconds: float) -> dict[str, int]:
    """Return libpq's options (seconds, milliseconds) that make a connection notice a lost server.

    Without ``tcp_user_timeout`` TCP repeats a statement to a host that vanished for a quarter of an hour.
    """
    probes = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
    return {**probes, "tcp_user_timeout": round(seconds * 1000)}


def _identity(place: Path) -> tuple[int, int] | None:
    """Return which file it is, whatever its name; None if there is none."""
    try:
        status = place.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _make_private(place: Path) -> None:
    """Give access to a new database file, and a new folder for it, to the owner alone: it holds hashes and
    sealed keys.

    The files beside it inherit its mode.
    """
    try:
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not place.exists():
            place.touch(mode=0o600)
    except OSError as fault:
        remedy = "let this user write there, or name another place in RBAC_DATA_DIR or RBAC_DATABASE_URL"
        raise SettingsRefused(
            [f"the database cannot be made at {place}: {fault.strerror}; {remedy}"]
        ) from fault


def _switch_to_wal(connection: Any, seconds: float) -> None:
    """Switch to WAL, waiting here: SQLite fails at once if several processes switch a new file."""
    deadline = clock.monotonic() + seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if clock.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return


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


def _postgresql_engine(settings: Settings) -> Engine:
    engine = create_engine(
        make_url(settings.url.replace("postgres://", "postgresql://", 1)).set(
            drivername="postgresql+psycopg"
        ),
        # Else a default of the server, the database or the role decides, and a writer could read rows as they
        # were
        # before it had the lock.
        isolation_level="READ COMMITTED",
        connect_args={
            "connect_timeout": settings.database_timeout,
            "application_name": "rbac-api",
            "client_encoding": "UTF8",  # already while the dialect asks who the server is
            **keepalive_options(settings.database_timeout),
        },
        pool_size=settings.threads + 2,
        max_overflow=POSTGRESQL_OVERFLOW,
        pool_timeout=settings.database_timeout,
        pool_pre_ping=True,
        hide_parameters=True,
    )

    wanted = session_settings(settings)
    asked = "SELECT " + ", ".join(["set_config(%s, %s, false)"] * len(wanted))

    @event.listens_for(engine, "connect")
    def _(connection: Any, _record: Any) -> None:
        connection.autocommit = True
        connection.execute(asked, [part for pair in wanted.items() for part in pair])
        connection.autocommit = False

    @event.listens_for(engine, "handle_error")
    def _(context: ExceptionContext) -> None:
        if getattr(context.original_exception, "sqlstate", None) in _LOST_STATES:
            context.is_disconnect = True

    return engine
