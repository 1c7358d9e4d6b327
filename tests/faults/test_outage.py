"""The database goes away under load, and the service is told to stop under load."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.calls import once
from tests.faults.conftest import StartNode
from tests.faults.ledger import Ledger, broken_chain
from tests.faults.load import Client, burst, crowd
from tests.faults.minting import Mint
from tests.servers.postgres import PostgresServer
from tests.servers.service import Service

pytestmark = pytest.mark.outside

RECOVERY = 5.0  # seconds, at best: what else the machine does delays now one restart and now another, a fault delays them all
STOPPING = 10.0
PATIENT = Path(__file__).with_name("patient.py")
AT_ONCE = 20.0  # seconds: half of how long a writer waits for a patient node


def statuses(clients: list[Client]) -> Counter[int]:
    return sum((client.statuses for client in clients), Counter[int]())


def until_served(clients: list[Client], since: float) -> float:
    """Seconds until a change was acknowledged to one of the clients again."""
    clients[0].ledger.await_more(len(clients))
    return time.monotonic() - since


def restarted(server: PostgresServer, clients: list[Client]) -> Callable[[], float]:
    """In the middle of the load, once: PostgreSQL is cut off and comes back; how long the service then took."""

    def disturb() -> float:
        clients[0].ledger.await_more(10)
        server.restart(immediate=True)
        return until_served(clients, time.monotonic())

    return disturb


def test_postgresql_restarts_under_load_and_clients_see_503_at_worst(
    durable: PostgresServer, start_node: StartNode
) -> None:
    url = durable.create_database()
    node, ledger = start_node(url, RBAC_WORKERS=2, RBAC_REFRESH_LEEWAY_SECONDS=60), Ledger()
    mint = Mint(url)
    clients = crowd(node, mint, ledger)
    mint.close()
    assert min(burst(clients, restarted(durable, clients)) for _ in range(3)) <= RECOVERY
    assert [client.cut for client in clients] == [[]] * len(clients)
    assert statuses(clients).keys() <= {200, 201, 204, 503}
    assert ledger.settle(mint.database) == []
    assert broken_chain(mint.database) is None
    mint.close()


def stopped(node: Service, clients: list[Client]) -> Callable[[], tuple[Any, float]]:
    """In the middle of the load: SIGTERM; the exit code and how long it took."""

    def disturb() -> tuple[Any, float]:
        clients[0].ledger.await_more(20)
        began = time.monotonic()
        code = node.terminate()
        return code, time.monotonic() - began

    return disturb


def test_told_to_stop_under_load_it_answers_everybody_it_has_heard(
    empty_url: str, start_node: StartNode
) -> None:
    node, ledger = start_node(empty_url, RBAC_WORKERS=2), Ledger()
    mint = Mint(empty_url)
    clients = crowd(node, mint, ledger)
    mint.close()

    code, seconds = burst(clients, stopped(node, clients))

    assert (code, node.output().count("Traceback")) == (0, 0)
    assert seconds <= STOPPING
    assert [client.cut for client in clients] == [[]] * len(clients)
    assert ledger.settle(mint.database) == []
    mint.close()


def test_a_node_that_stops_in_good_order_is_not_waited_for(
    postgres: PostgresServer, start_node: StartNode
) -> None:
    url = postgres.create_database()
    program = {"RBAC_WORKERS": 1, "PYTHONPATH": PATIENT.parents[2]}
    leaving, staying = (start_node(url, str(PATIENT), **program) for _ in range(2))
    mint = Mint(url)
    admin, victim = mint.passes([mint.user_id("admin")] * 2)
    mint.close()
    for node in (leaving, staying):
        assert once(node, "GET", "/v1/me", victim.access).status == 200
    leaving.terminate()
    began = time.monotonic()
    answer = once(staying, "DELETE", f"/v1/sessions/{victim.session_id}", admin.access)
    assert (answer.status, time.monotonic() - began < AT_ONCE) == (204, True)
