"""Makes engines, set up so that SQLite and PostgreSQL keep the same guarantees (the package's docstring names
them)."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import SQLAlchemyError

from rbac_api import clock
from rbac_api.database.constraints import DatabaseDown, meaning_of
from rbac_api.database.postgresql import postgresql_engine
from rbac_api.database.write_queue import Queue, Turns
from rbac_api.settings import Settings, SettingsRefused

WRITE_LOCK = 0x52424143  # "RBAC": the one advisory lock that every writing transaction takes first
WRITERS_IN_SERVER = 3
MAX_VALUES = 5000  # SQLite takes 32,766 values in a statement, PostgreSQL 65,535
_TAKE_LOCK = text("SELECT set_config('lock_timeout', :patience, true), pg_advisory_xact_lock(:key)")
Announcement = Callable[[int], None]
T = TypeVar("T")


class Database:
    """One database, as this process uses it.  Connections come only from its methods, such as ``reading`` and
    ``writing``."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.looked: tuple[float, list[Any]] = (0.0, [])  # see ``requirements.recent_results``
        self.on_sqlite = settings.on_sqlite
        self.timeout: float = settings.database_timeout
        self.engine = _sqlite_engine(settings) if self.on_sqlite else postgresql_engine(settings)
        # Options for a transaction of several statements: without them each statement is one (PostgreSQL).
        self.transactional: dict[str, Any] = (
            {"one_moment": True} if self.on_sqlite else {"isolation_level": "READ COMMITTED"}
        )
        self._turns: Turns = threading.Lock() if self.on_sqlite else Queue(WRITERS_IN_SERVER)
        self._listeners: list[Announcement] = []
        self.outbox_filled = threading.Event()  # an event waits in the outbox of the trail

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection where each statement sees the rows that are committed when it begins."""
        with translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def one_moment(self) -> Iterator[Connection]:
        """Open a reading connection where all statements see the rows of one moment."""
        options: dict[str, Any] = (
            {"one_moment": True} if self.on_sqlite else {"isolation_level": "REPEATABLE READ"}
        )
        with translated(), self.engine.connect() as connection:
            yield connection.execution_options(**options)

    @contextmanager
    def unlocked(self) -> Iterator[Connection]:
        """Open a transaction without the write lock, for work that writes no row (PostgreSQL)."""
        with (
            translated(),
            self.engine.connect() as connection,
            connection.execution_options(**self.transactional).begin(),
        ):
            yield connection

    @contextmanager
    def autocommit(self) -> Iterator[Connection]:
        """Open a connection without the write lock: each statement is a transaction (PostgreSQL)."""
        with self.reading() as connection:
            yield connection

    @contextmanager
    def streaming(self) -> Iterator[Connection]:
        """Open a reading transaction that may hold a server-side cursor: for answers too long for memory."""
        with translated(), self.engine.connect() as connection:
            options = {**self.transactional, "stream_results": True, "max_row_buffer": 500}
            yield connection.execution_options(**options)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open the one writing transaction; no other overlaps it.  Commits unless the block raises."""
        with translated(), self._waiting_turn() as patience, self.engine.connect() as connection:
            connection.info["published"] = None
            options = {**self.transactional, "writer": True, "patience": patience}
            with connection.execution_options(**options).begin():
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


@contextmanager
def translated() -> Iterator[None]:
    """Raise only errors of this service, see ``constraints``."""
    try:
        yield
    except SQLAlchemyError as fault:
        if (meaning := meaning_of(fault)) is None:
            raise
        raise meaning from fault


def batched(values: Iterable[T], size: int = MAX_VALUES) -> Iterator[list[T]]:
    """Split values into batches that fit one statement, or into memory: lists of ``size`` values, the last
    one with the rest; as ``itertools.batched`` from Python 3.12 on."""
    rest = iter(values)
    while some := list(islice(rest, size)):
        yield some


def is_writer(connection: Connection) -> bool:
    """Return whether this transaction holds the write lock."""
    return bool(connection.get_execution_options().get("writer"))


def publish(connection: Connection, seq: int) -> None:
    """Note that this transaction changes decisions, up to trail event ``seq``; its commit notifies all
    workers."""
    connection.info["published"] = seq
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_notify('rbac_trail', :seq)"), {"seq": str(seq)})


def _sqlite_engine(settings: Settings) -> Engine:
    engine = create_engine(
        settings.url,
        connect_args={"timeout": settings.database_timeout, "check_same_thread": False},
        pool_size=settings.threads + 4,
        max_overflow=settings.signin_queue,
        pool_timeout=settings.database_timeout,
        hide_parameters=True,  # an unexpected error is logged whole, and the log must not hold hashes
    )

    @event.listens_for(engine, "do_connect")
    def _(*_arguments: object) -> None:
        _make_private(Path(engine.url.database or ""))

    @event.listens_for(engine, "connect")
    def _(connection: Any, record: Any) -> None:
        record.info["file"] = _identity(Path(engine.url.database or ""))
        connection.isolation_level = None  # the driver must not open transactions of its own
        connection.execute(f"PRAGMA busy_timeout={settings.database_timeout * 1000}")
        _switch_to_wal(connection, settings.database_timeout)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    event.listen(engine, "begin", partial(_begin, full=float(settings.database_timeout)))
    return engine


def _begin(connection: Connection, *, full: float) -> None:
    """Begin what the options of the connection ask for; a plain read needs no transaction."""
    options = connection.get_execution_options()
    if options.get("writer"):
        _begin_writing(connection, options.get("patience", full), full)
    elif options.get("one_moment"):
        connection.exec_driver_sql("BEGIN")


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
