"""Workers on PostgreSQL answer from memory and are never behind: whatever becomes of the connection that brings them the news."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import psycopg
import pytest

from rbac_api import clock
from rbac_api.database import freshness
from rbac_api.database.freshness import PostgresGate, _acknowledged
from tests.builders import Caller, Stage
from tests.cast import ALICE, DAVE
from tests.database.conftest import another_worker
from tests.database.wire import Wire

GONE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'rbac-follower:' || %s || '-%%'"


class NaiveGate(PostgresGate):
    """The vulnerable twin: believes that a follower without a connection needs nobody's patience."""

    def _lagging(self, seq: int) -> bool:
        query = "SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'rbac-follower:%%'"
        with self._database.reading() as connection:
            names = connection.exec_driver_sql(query).scalars().all()
        others = [name for name in names if self._name not in name]
        return any(_acknowledged(name) < seq for name in others)


def visit(caller: Caller, worker: Stage) -> int:
    """The caller at a protected door of this worker, behind which nothing is read."""
    return worker.app.test_client().get("/door", headers=caller.headers).status_code


def in_memory(caller: Caller, worker: Stage) -> None:
    """Let the caller call until the worker answers from memory."""
    deadline = clock.monotonic() + 10
    while not (visit(caller, worker) == 200 and worker.guard.snapshot.gate.unchanged()):
        assert clock.monotonic() < deadline


def cut_off(worker: Stage, wire: Wire) -> None:
    """The worker's follower loses its connection to the server, and hears nothing of it."""
    wire.freeze()
    with psycopg.connect(wire_free(worker, wire), autocommit=True) as connection:
        assert connection.execute(GONE, (worker.guard.snapshot.gate._name,)).rowcount == 1


def wire_free(worker: Stage, wire: Wire) -> str:
    return worker.settings.database_url.replace(wire.url.rpartition("/")[0], f"postgresql://postgres@127.0.0.1:{wire._target[1]}")


@pytest.fixture
def distant(troupe: Stage, short_lease: float, wire: Wire) -> Iterator[Stage]:
    """A worker at the other end of the wire."""
    with another_worker(troupe, database_url=wire.url) as worker:
        yield worker


def test_dave_is_out_at_a_worker_that_was_cut_off_as_soon_as_alice_has_her_answer(
    troupe: Stage, distant: Stage, wire: Wire
) -> None:
    alice, path = troupe.as_(ALICE), f"/v1/users/{troupe.user_id(DAVE)}/roles/auditor"
    alice.put(path)
    dave = troupe.as_(DAVE)
    in_memory(dave, distant)

    cut_off(distant, wire)
    assert alice.delete(path).status_code == 204
    threading.Timer(0.1, wire.thaw).start()

    assert visit(dave, distant) == 403


def test_without_a_register_of_followers_dave_would_stay_in(
    troupe: Stage, distant: Stage, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, path = troupe.as_(ALICE), f"/v1/users/{troupe.user_id(DAVE)}/roles/auditor"
    alice.put(path)
    dave = troupe.as_(DAVE)
    in_memory(dave, distant)
    monkeypatch.setattr(PostgresGate, "_lagging", NaiveGate._lagging)

    cut_off(distant, wire)
    assert alice.delete(path).status_code == 204

    assert visit(dave, distant) == 200, "the twin must show the fault that the register prevents"
