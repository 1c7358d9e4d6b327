"""One writer at a time: nobody's change is lost, everybody gets a turn, and nobody waits for longer than the timeout (H2, H3)."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import text

from rbac_api import clock
from rbac_api.database.constraints import DatabaseDown
from rbac_api.database.engine import WRITE_LOCK, Database
from tests.builders import Stage, settings_for
from tests.cast import ALICE, CAROL, DAVE
from tests.database.conftest import another_worker

THREADS, EACH = 16, 12
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


def count_up_naively(database: Database, times: int) -> None:
    """The vulnerable twin: a transaction like any other."""
    for _ in range(times):
        with database.engine.begin() as connection:
            n = connection.execute(text(READ)).scalar_one()
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


def test_of_sixteen_threads_and_two_programs_no_count_is_lost(stage: Stage) -> None:
    stage.execute(START)
    command = [sys.executable, "-c", PROGRAM, stage.settings.database_url, str(EACH), READ, RAISE]
    programs = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda _: count_up(stage.database, EACH), range(THREADS)))
    complaints = [program.communicate(timeout=60)[1] for program in programs]

    assert [program.returncode for program in programs] == [0, 0], complaints
    assert stage.query(READ) == [((THREADS + 2) * EACH,)]


def test_without_the_lock_counts_would_be_lost_or_refused(stage: Stage) -> None:
    stage.execute(START)

    def attempt(_: int) -> bool:
        try:
            count_up_naively(stage.database, EACH)
        except Exception:  # noqa: BLE001 -- whatever it is: the twin may fail in any way
            return False
        return True

    with ThreadPoolExecutor(THREADS) as threads:
        finished = list(threads.map(attempt, range(THREADS)))

    assert not all(finished) or stage.query(READ) != [(THREADS * EACH,)]


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
    began = clock.monotonic()

    with lock_held(stage), ThreadPoolExecutor(6) as threads:
        refused = list(threads.map(lambda n: at(hasty, alice, "POST", n), range(6)))
        read = at(hasty, carol, "GET", 0)

    assert clock.monotonic() - began < 2 * hasty.settings.database_timeout
    assert {(answer.status_code, answer.json["code"]) for answer in refused} == {
        (503, "database.unavailable")
    }
    assert {answer.headers["Retry-After"] for answer in refused} == {"1"}
    assert read.status_code == 200
    assert at(hasty, alice, "POST", 9).status_code == 201, "and it recovers"
    assert hasty.database.engine.pool.checkedout() == 0


def at(worker: Stage, caller: object, method: str, number: int) -> object:
    headers = caller.headers  # type: ignore[attr-defined]
    body = {"name": f"clerk-{number}"} if method == "POST" else None
    return worker.app.test_client().open("/v1/roles", method=method, json=body, headers=headers)


def test_waiting_in_the_process_counts_towards_the_timeout(stage: Stage, hasty: Stage) -> None:
    began = clock.monotonic()

    def write(_: int) -> float:
        with pytest.raises(DatabaseDown), hasty.database.writing():
            pass
        return clock.monotonic() - began

    with lock_held(stage), ThreadPoolExecutor(4) as threads:
        waited = list(threads.map(write, range(4)))

    assert max(waited) < 1.9, "one after the other would be four seconds"
    assert min(waited) > 0.9
    with hasty.database.writing() as connection:
        connection.execute(text("SELECT 1"))


def test_readers_do_not_wait_for_a_writer(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    began = clock.monotonic()

    with lock_held(stage):
        assert carol.get("/v1/users").status_code == 200

    assert clock.monotonic() - began < 1


def test_a_pool_that_is_used_up_answers_503_in_time(stage: Stage) -> None:
    settings = settings_for(stage.settings.database_url, database_timeout=1, threads=1, signin_queue=1)
    database = Database(settings)
    pool, held = database.engine.pool, []
    began = clock.monotonic()

    with pytest.raises(DatabaseDown) as refusal:
        while True:
            held.append(database.engine.connect())
            if len(held) == pool.size() + pool._max_overflow:
                with database.reading():
                    pass

    assert clock.monotonic() - began < 3
    assert "TimeoutError" in (refusal.value.internal or "")
    for connection in held:
        connection.close()
    database.dispose()
