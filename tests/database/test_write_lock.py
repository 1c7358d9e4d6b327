"""One writer at a time: nobody's change is lost, everybody gets a turn, and nobody waits for longer than the timeout."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from rbac_api.database.constraints import DatabaseDown
from rbac_api.database.engine import WRITE_LOCK, WRITERS_IN_SERVER, Database
from rbac_api.database.write_queue import Turns
from tests.builders import Stage, settings_for
from tests.cast import ALICE, CAROL, DAVE
from tests.database.conftest import another_worker
from tests.patience import PATIENCE, Leaping, connections_held

THREADS, EACH = 16, 12
LONG, SHORT = 40, 20  # seconds: what a fault would take, and what nothing else takes on the slowest machine
READ, RAISE = "SELECT failures FROM signin_attempts", "UPDATE signin_attempts SET failures = :n"
START = "INSERT INTO signin_attempts (name_digest, failures, last_failed_at) VALUES ('x', 0, '2026-11-22 00:00:00')"
# Another program counts too: the same way in, another process.
PROGRAM = """
import sys
from sqlalchemy import text
from rbac_api.database.engine import Database
from tests.builders import settings_for
database = Database(settings_for(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    with database.writing() as connection:
        n = connection.execute(text(sys.argv[3])).scalar_one()
        connection.execute(text(sys.argv[4]), {"n": n + 1})
database.dispose()
"""


def count_up(database: Database, times: int) -> None:
    """Read, add one, write: lost by whoever lets another in between."""
    for _ in range(times):
        with database.writing() as connection:
            n = connection.execute(text(READ)).scalar_one()
            connection.execute(text(RAISE), {"n": n + 1})


def count_up_naively(database: Database, all_have_read: threading.Barrier) -> None:
    """The vulnerable twin: a transaction like any other."""
    with (
        database.engine.connect() as connection,
        connection.execution_options(**database.transactional).begin(),
    ):
        n = connection.execute(text(READ)).scalar_one()
        all_have_read.wait(PATIENCE)
        connection.execute(text(RAISE), {"n": n + 1})


@contextmanager
def lock_held(stage: Stage) -> Iterator[None]:
    """Somebody outside holds the write lock."""
    if stage.engine == "sqlite":
        connection = sqlite3.connect(stage.database.engine.url.database or "", isolation_level=None)
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.rollback()
        connection.close()
        return
    with psycopg.connect(stage.settings.database_url) as other:
        other.execute("SELECT pg_advisory_xact_lock(%s)", (WRITE_LOCK,))
        yield


@pytest.fixture
def hasty(stage: Stage) -> Iterator[Stage]:
    """A worker that waits for a second, not for five."""
    with another_worker(stage, database_timeout=1) as worker:
        yield worker


@pytest.mark.outside
def test_of_sixteen_threads_and_two_programs_no_count_is_lost(stage: Stage) -> None:
    stage.execute(START)
    command = [sys.executable, "-c", PROGRAM, stage.settings.database_url, str(EACH), READ, RAISE]
    programs = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda _: count_up(stage.database, EACH), range(THREADS)))
    complaints = [program.communicate(timeout=4 * PATIENCE)[1] for program in programs]

    assert [program.returncode for program in programs] == [0, 0], complaints
    assert stage.query(READ) == [((THREADS + 2) * EACH,)]


def test_without_the_lock_counts_would_be_lost_or_refused(stage: Stage) -> None:
    stage.execute(START)
    all_have_read = threading.Barrier(2)

    def attempt(_: int) -> bool:
        try:
            count_up_naively(stage.database, all_have_read)
        except OperationalError:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        finished = list(threads.map(attempt, range(2)))

    assert (all(finished), stage.query(READ)) == (stage.engine == "postgresql", [(1,)])


def test_who_comes_while_somebody_writes_waits_and_gets_her_turn(stage: Stage) -> None:
    alice, answers = stage.as_(ALICE), []
    path = f"/v1/users/{stage.user_id(DAVE)}/roles/auditor"

    with lock_held(stage):
        waiting = threading.Thread(target=lambda: answers.append(alice.put(path)))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive()
    waiting.join()

    assert answers[0].status_code == 201


def test_who_waits_too_long_is_told_when_to_come_back_and_reading_goes_on(stage: Stage, hasty: Stage) -> None:
    alice, carol = stage.as_(ALICE), stage.as_(CAROL)

    with lock_held(stage), ThreadPoolExecutor(6) as threads:
        refused = list(threads.map(lambda n: at(hasty, alice, "POST", n), range(6)))
        read = at(hasty, carol, "GET", 0)

    assert {(answer.status_code, answer.json["code"]) for answer in refused} == {
        (503, "database.unavailable")
    }
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    assert read.status_code == 200
    assert at(hasty, alice, "POST", 9).status_code == 201, "and it recovers"
    assert connections_held(hasty.database) == 0


def at(worker: Stage, caller: object, method: str, number: int) -> object:
    headers = caller.headers  # type: ignore[attr-defined]
    body = {"name": f"clerk-{number}"} if method == "POST" else None
    return worker.app.test_client().open("/v1/roles", method=method, json=body, headers=headers)


class LateTurns:
    """Turns that come when so many seconds have passed, by the clock."""

    def __init__(self, turns: Turns, clock: Leaping, seconds: float) -> None:
        self._turns, self._clock, self._seconds = turns, clock, seconds
        self.release = turns.release

    def acquire(self, *, timeout: float) -> bool:
        came = self._turns.acquire(timeout=timeout)
        self._clock.leap(self._seconds)
        return came


def refused_after(database: Database) -> tuple[float, str]:
    """The seconds until somebody who wants to write is refused, and why."""
    began = time.monotonic()
    with pytest.raises(DatabaseDown) as refusal, database.writing():
        pass
    return time.monotonic() - began, refusal.value.internal or ""


def test_waiting_in_the_process_counts_towards_the_timeout(
    stage: Stage, leaping: Leaping, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(settings_for(stage.settings.database_url, database_timeout=LONG))
    with database.writing() as connection:
        connection.execute(text("SELECT 1"))

    with lock_held(stage), monkeypatch.context() as late:
        late.setattr(database, "_turns", LateTurns(database._turns, leaping, LONG - 0.3))
        waited, _ = refused_after(database)

    assert 0.1 < waited < SHORT, "what was waited for a turn is waited for the lock once more"
    with database.writing() as connection:
        connection.execute(text("SELECT 1"))
    database.dispose()


def test_nobody_waits_for_a_turn_in_the_process_for_longer_than_the_timeout(stage: Stage) -> None:
    database = Database(settings_for(stage.settings.database_url, database_timeout=1))
    turns, places = database._turns, 1 if stage.engine == "sqlite" else WRITERS_IN_SERVER
    assert all(turns.acquire(timeout=0) for _ in range(places))

    with ThreadPoolExecutor(1) as thread:
        refused = thread.submit(refused_after, database)
        try:
            waited, why = refused.result(timeout=SHORT)
        finally:
            for _ in range(places):
                turns.release()

    assert (waited > 0.9, why) == (True, "waited too long for a turn to write in this process")
    database.dispose()


def test_readers_do_not_wait_for_a_writer(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    began = time.monotonic()

    with lock_held(stage):
        assert carol.get("/v1/users").status_code == 200

    assert time.monotonic() - began < SHORT < stage.settings.database_timeout


def test_a_pool_that_is_used_up_answers_503_in_time(stage: Stage) -> None:
    settings = settings_for(stage.settings.database_url, database_timeout=1, threads=1, signin_queue=1)
    database = Database(settings)
    pool, held = database.engine.pool, []
    began = time.monotonic()

    with pytest.raises(DatabaseDown) as refusal:
        while True:
            held.append(database.engine.connect())
            if len(held) == pool.size() + pool._max_overflow:
                with database.reading():
                    pass

    assert time.monotonic() - began < SHORT, "SQLAlchemy's own is thirty seconds"
    assert "TimeoutError" in (refusal.value.internal or "")
    for connection in held:
        connection.close()
    database.dispose()
