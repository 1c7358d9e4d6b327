"""Workers on PostgreSQL answer from memory and are never behind, whatever becomes of the connection that brings them the news."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

from rbac_api.database import freshness
from rbac_api.database.freshness import PostgresChangeDetector, _acknowledged
from rbac_api.trail.recorder import OPERATOR, Target, record
from tests.builders import Caller, Stage
from tests.cast import ALICE, DAVE
from tests.database.conftest import another_worker
from tests.database.wire import Wire
from tests.meeting import begun_by_two
from tests.patience import PATIENCE, Leaping, eventually, inside

AT_ONCE = (
    30  # seconds: the slowest machine takes less, and a lease lasts for twice as long where this is asked
)
CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'rbac-follower:' || ? || '%%'"
GONE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'rbac-follower:' || %s || '-%%'"
VISIBLE = "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'rbac-follower:%%'"
# A worker of another process: follows until it is told to end.
PROGRAM = """
import sys
from rbac_api.database import freshness
from rbac_api.database.engine import Database
from tests.builders import settings_for
freshness.LEASE_SECONDS, freshness.HEARTBEAT_SECONDS = map(float, sys.argv[2:4])
database = Database(settings_for(sys.argv[1]))
gate = freshness.open_change_detector(database)
gate.detect(lambda: 0)
while not gate.unchanged():
    gate.detect(lambda: 0)
print(gate._name, flush=True)
sys.stdin.readline()
gate.close()
database.dispose()
"""


class NaiveGate(PostgresChangeDetector):
    """The vulnerable twin: believes that nobody need wait for a follower without a connection."""

    def _lagging(self, seq: int) -> bool:
        with self._database.reading() as connection:
            names = connection.exec_driver_sql(VISIBLE).scalars().all()
        return any(_acknowledged(name) < seq for name in names if self._name not in name)


def visit(caller: Caller, worker: Stage) -> int:
    """The caller at a protected door of this worker, behind which nothing is read."""
    return worker.app.test_client().get("/door", headers=caller.headers).status_code


def until(worker: Stage, caller: Caller, status: int) -> None:
    """Let the caller call until that is the answer, given from memory."""
    gate = worker.guard.snapshot.gate
    assert eventually(lambda: visit(caller, worker) == status and gate.unchanged(), pause=0)


def registered(stage: Stage) -> list[str]:
    return [name for (name,) in stage.query("SELECT name FROM followers ORDER BY name")]


def terminate(url: str, name: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute(GONE, (name,)).rowcount >= 1


def change(stage: Stage) -> None:
    """Something that touches what may be decided."""
    with stage.database.writing() as connection:
        record(connection, OPERATOR, "role.updated", Target("role", "auditor", "auditor"))


def at_once(work: Callable[[], object]) -> None:
    """It waits for nobody: not for half a lease."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result(timeout=AT_ONCE)


def for_a_lease(leaping: Leaping, work: Callable[[], object]) -> None:
    """It waits for followers, again and again asking the clock, until a lease's length has passed, and no longer."""
    worker = threading.Thread(target=work)
    worker.start()
    assert eventually(
        lambda: inside(worker, PostgresChangeDetector._await_followers) or not worker.is_alive(), 0
    )
    asked = leaping.asked(worker)
    assert eventually(lambda: leaping.asked(worker) > asked + 10 or not worker.is_alive())
    assert worker.is_alive(), "it did not wait"
    leaping.leap(freshness.LEASE_SECONDS)
    worker.join(AT_ONCE)
    assert not worker.is_alive(), "it waits for longer than a lease"


@pytest.fixture
def distant(troupe: Stage, short_lease: float, wire: Wire) -> Iterator[Stage]:
    """A worker at the other end of the wire."""
    with another_worker(troupe, database_url=wire.url) as worker:
        yield worker


@pytest.fixture
def near(troupe: Stage, short_lease: float) -> Iterator[Stage]:
    """A second worker."""
    with another_worker(troupe) as worker:
        yield worker


@contextmanager
def another_process(stage: Stage) -> Iterator[subprocess.Popen[str]]:
    """A worker that we can stop and kill, with its name in ``args``."""
    times = (str(freshness.LEASE_SECONDS), str(freshness.HEARTBEAT_SECONDS))
    command = [sys.executable, "-c", PROGRAM, stage.settings.database_url, *times]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            process.args = process.stdout.readline().strip()
            yield process
        finally:
            process.kill()


def let_dave_in(troupe: Stage, worker: Stage) -> tuple[Caller, Caller, str]:
    """Alice, Dave with a role that the worker has in memory, and the address of that assignment."""
    alice, path = troupe.as_(ALICE), f"/v1/users/{troupe.user_id(DAVE)}/roles/auditor"
    alice.put(path)
    dave = troupe.as_(DAVE)
    until(worker, dave, 200)
    return alice, dave, path


def test_dave_is_out_at_a_worker_that_was_cut_off_as_soon_as_alice_has_her_answer(
    troupe: Stage, distant: Stage, wire: Wire
) -> None:
    alice, dave, path = let_dave_in(troupe, distant)

    wire.freeze()
    terminate(wire.unhindered, distant.guard.snapshot.gate._name)
    assert alice.delete(path).status_code == 204
    threading.Timer(0.1, wire.thaw).start()

    assert visit(dave, distant) == 403


def test_a_worker_that_somebody_took_out_of_the_register_enters_anew_and_is_waited_for(
    troupe: Stage, distant: Stage, wire: Wire, short_lease: float
) -> None:
    alice, dave, path = let_dave_in(troupe, distant)
    troupe.execute("DELETE FROM followers")  # as restoring a backup of another time does
    time.sleep(short_lease)
    until(distant, dave, 200)

    wire.freeze()
    assert alice.delete(path).status_code == 204
    threading.Timer(0.1, wire.thaw).start()

    assert visit(dave, distant) == 403


def test_without_a_register_of_followers_dave_would_stay_in(
    troupe: Stage, distant: Stage, wire: Wire, long_lease: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, dave, path = let_dave_in(troupe, distant)
    monkeypatch.setattr(PostgresChangeDetector, "_lagging", NaiveGate._lagging)

    wire.freeze()
    terminate(wire.unhindered, distant.guard.snapshot.gate._name)
    assert alice.delete(path).status_code == 204
    thawing = threading.Timer(AT_ONCE, wire.thaw)  # or a right answer would be waited for in vain
    thawing.start()

    assert visit(dave, distant) == 200, "the twin must show the fault that the register prevents"
    thawing.cancel()
    wire.thaw()


def test_dave_is_out_although_the_server_ends_every_follower_again_and_again(
    troupe: Stage, near: Stage
) -> None:
    alice, dave, path = let_dave_in(troupe, near)
    for _ in range(2):
        terminate(troupe.settings.database_url, near.guard.snapshot.gate._name)
        assert alice.delete(path).status_code == 204
        assert visit(dave, near) == 403
        assert alice.put(path).status_code == 201
        until(near, dave, 200)


def test_a_worker_that_hears_nothing_delays_alice_by_a_lease_at_most(
    troupe: Stage, distant: Stage, wire: Wire, long_lease: float, leaping: Leaping
) -> None:
    alice, dave, path = let_dave_in(troupe, distant)
    wire.freeze()
    answers: list[int] = []

    for_a_lease(leaping, lambda: answers.append(alice.delete(path).status_code))

    assert answers == [204]
    threading.Timer(0.1, wire.thaw).start()
    assert visit(dave, distant) == 403


@pytest.mark.outside
def test_a_frozen_process_delays_a_writer_by_a_lease_and_a_killed_one_once(
    troupe: Stage, long_lease: float, leaping: Leaping
) -> None:
    with another_process(troupe) as process:
        name = str(process.args)
        assert [entry for entry in registered(troupe) if entry.startswith(name)]
        at_once(lambda: change(troupe))  # while it follows, nobody waits for long

        process.send_signal(signal.SIGSTOP)
        for _ in range(2):
            for_a_lease(leaping, lambda: change(troupe))
        process.kill()
        process.wait()
        assert eventually(lambda: troupe.query(CONNECTED, name) == [(0,)])
        for_a_lease(leaping, lambda: change(troupe))
        at_once(lambda: change(troupe))

    assert not [entry for entry in registered(troupe) if entry.startswith(name)], "struck off"


@pytest.mark.outside
def test_a_process_that_ends_in_good_order_leaves_no_entry_and_no_delay(
    troupe: Stage, long_lease: float
) -> None:
    with another_process(troupe) as process:
        name = str(process.args)
        process.communicate("end\n", timeout=PATIENCE)

    assert not [entry for entry in registered(troupe) if entry.startswith(name)]
    at_once(lambda: change(troupe))


def test_a_worker_without_a_lease_reads_on_every_request(
    troupe: Stage, long_lease: float, leaping: Leaping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(freshness, "HEARTBEAT_SECONDS", 3600.0)  # so it is not renewed
    dave, reads = troupe.as_(DAVE), 0
    with another_worker(troupe) as worker:
        gate = worker.guard.snapshot.gate
        until(worker, dave, 403)
        leaping.leap(long_lease)
        original = worker.guard.snapshot._read_tail

        def counted() -> int:
            nonlocal reads
            reads += 1
            return int(original())

        monkeypatch.setattr(worker.guard.snapshot, "_read_tail", counted)
        assert {visit(dave, worker) for _ in range(5)} == {403}
        assert (reads, gate.unchanged()) == (5, False)
        terminate(troupe.settings.database_url, gate._name)  # or closing would wait for the heartbeat


def test_a_restored_backup_is_noticed(stage: Stage, other: Stage, short_lease: float) -> None:
    alice, dave, path = let_dave_in(stage, other)
    for _ in range(3):
        alice.delete(path)
        alice.put(path)
    until(other, dave, 200)

    stage.reset()  # every row as in the first scene: before Dave signed in

    assert eventually(lambda: visit(dave, other) == 401)


@pytest.mark.parametrize("payload", ["nonsense", ""])
def test_a_notification_that_is_none_does_not_silence_the_follower(
    troupe: Stage, near: Stage, payload: str
) -> None:
    alice, dave, path = let_dave_in(troupe, near)
    with psycopg.connect(troupe.settings.database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_notify('rbac_trail', %s)", (payload,))

    time.sleep(0.05)
    assert alice.delete(path).status_code == 204
    assert visit(dave, near) == 403
    until(near, dave, 403)


def test_acknowledgements_are_visible_to_a_role_that_owns_nothing(troupe: Stage, near: Stage) -> None:
    """What the waiting rests on: pg_stat_activity shows application_name, alone of the telling columns, to every role."""
    let_dave_in(troupe, near)
    name, newest = near.guard.snapshot.gate._name, troupe.events()[-1]["seq"]
    assert eventually(lambda: troupe.query(CONNECTED, f"{name}-1:{newest}") == [(1,)])
    with psycopg.connect(troupe.settings.database_url, autocommit=True) as owner:
        owner.execute("DROP ROLE IF EXISTS bystander")
        owner.execute("CREATE ROLE bystander LOGIN NOSUPERUSER")
    url = troupe.settings.database_url.replace("postgres@", "bystander@")

    with psycopg.connect(url) as bystander:
        assert bystander.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (
            False,
        )
        seen = bystander.execute(
            VISIBLE.replace("application_name", "application_name, query", 1).replace("%%", "%")
        )
        found = seen.fetchall()

    mine = [(shown, query) for shown, query in found if name in shown]
    assert len(mine) == 1
    assert _acknowledged(mine[0][0]) == newest
    assert mine[0][1] == "<insufficient privilege>"


GRANTS = (
    "CREATE ROLE clerk LOGIN NOSUPERUSER",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO clerk",
    "REVOKE UPDATE, DELETE, TRUNCATE ON trail_events FROM clerk",
)


def test_the_whole_service_runs_as_a_role_that_owns_nothing(troupe: Stage, short_lease: float) -> None:
    with psycopg.connect(troupe.settings.database_url, autocommit=True) as owner:
        for statement in GRANTS:
            owner.execute(statement)
    url = troupe.settings.database_url.replace("postgres@", "clerk@")
    try:
        with another_worker(troupe, database_url=url) as one, another_worker(troupe, database_url=url) as two:
            alice, dave, path = let_dave_in(one, two)
            for _ in range(5):
                assert alice.delete(path).status_code == 204
                assert visit(dave, two) == 403
                assert alice.put(path).status_code == 201
                assert visit(dave, two) == 200
    finally:
        with psycopg.connect(troupe.settings.database_url, autocommit=True) as owner:
            owner.execute("DROP OWNED BY clerk")
            owner.execute("DROP ROLE clerk")


def test_followers_that_cannot_be_asked_for_are_waited_for(
    troupe: Stage, near: Stage, long_lease: float, leaping: Leaping
) -> None:
    gate = near.guard.snapshot.gate
    troupe.execute("ALTER TABLE followers RENAME TO followers_elsewhere")
    try:
        for_a_lease(leaping, lambda: gate._published(1))
    finally:
        troupe.execute("ALTER TABLE followers_elsewhere RENAME TO followers")


class HastyGate(PostgresChangeDetector):
    """The vulnerable twin: starts a follower without looking whether somebody else has meanwhile."""

    def _start(self) -> None:
        with self._starting:
            self._follower = threading.Thread(target=self._follow, name="rbac-follower", daemon=True)
            self._follower.start()


@pytest.mark.parametrize(("kind", "started"), [(PostgresChangeDetector, 1), (HastyGate, 2)])
def test_two_first_requests_at_once_start_one_follower(
    troupe: Stage, short_lease: float, kind: type[PostgresChangeDetector], started: int
) -> None:
    gate = kind(troupe.database)

    threads = begun_by_two(gate.unchanged, at=gate._starting, within=gate._start)

    assert [thread.name for thread in threads] == ["rbac-follower"] * started
    gate.close()
    for thread in threads:
        thread.join(PATIENCE)
