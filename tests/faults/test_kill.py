"""SIGKILL at random during mixed load loses nothing that was acknowledged, on either engine."""

from __future__ import annotations

import os
import random
import signal
import time

import psycopg
import pytest

from tests.conftest import ENGINES
from tests.faults.conftest import StartNode
from tests.faults.ledger import Ledger, broken_chain
from tests.faults.load import Client, burst, crowd
from tests.faults.minting import Mint
from tests.servers.postgres import PostgresServer
from tests.servers.service import Service, await_end
from tests.sizes import sized

ROUNDS = sized(8, 200)
CRASHES = sized(3, 50)
PATIENT = {
    "RBAC_REFRESH_LEEWAY_SECONDS": 60,
    "RBAC_MAX_SESSIONS": 10_000,  # or the hundredth sign-in of the administrator ends the session of a client
}
BURIAL = """DELETE FROM followers f WHERE NOT EXISTS
    (SELECT 1 FROM pg_stat_activity a WHERE a.application_name LIKE 'rbac-follower:' || f.name || ':%')"""
EVERYTHING = 0.4  # the share of rounds in which all processes are killed; in the others it is one worker


def strike(node: Service, ledger: Ledger, dice: random.Random) -> None:
    """Kill at a moment nobody knows: all of the node, or one of its workers."""
    ledger.await_more(dice.randint(2, 16))
    time.sleep(dice.uniform(0, 0.02))
    if dice.random() < EVERYTHING:
        node.kill()
    else:
        worker = dice.choice(node.workers)
        os.kill(worker, signal.SIGKILL)
        await_end(worker)


def bury(url: str) -> None:
    """Say on behalf of the dead that they follow no more; left alone, whoever revokes something next gives them two seconds."""
    if not url.startswith("postgresql"):
        return
    with psycopg.connect(url, autocommit=True) as connection:
        for _ in range(50):  # until their connections are seen to be gone
            if connection.execute(BURIAL).rowcount:
                return
            time.sleep(0.01)


def play(node: Service, clients: list[Client], mint: Mint, dice: random.Random) -> list[str]:
    """One round: load, death, a look at the database, life again; what was wrong."""
    ledger = clients[0].ledger
    burst(clients, lambda: (strike(node, ledger, dice), bury(mint.settings.database_url)))
    if not node.process.alive:
        node.start(wait=False)
    wrong = ledger.settle(mint.database)
    mint.database.dispose()  # nobody but the service has the file open when it is struck
    node.wait_until_ready()
    wrong += [f"served though revoked: {one}" for client in clients for one in client.accepted_after_all()]
    return wrong


@pytest.mark.soak
@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_acknowledged_survives_sigkill_at_any_moment(
    engine: str, durable: PostgresServer, start_node: StartNode, tmp_path: object
) -> None:
    url = durable.create_database() if engine == "postgresql" else f"sqlite:///{tmp_path}/rbac.db"
    node, ledger, dice = start_node(url, **PATIENT), Ledger(), random.Random(engine)
    mint = Mint(url)
    clients = crowd(node, mint, ledger)
    for number in range(ROUNDS):
        assert play(node, clients, mint, dice) == [], f"round {number}"
    assert broken_chain(mint.database) is None
    assert ledger.acknowledged > ROUNDS
    mint.close()


@pytest.mark.soak
def test_what_was_acknowledged_survives_the_death_of_postgresql(
    durable: PostgresServer, start_node: StartNode
) -> None:
    url = durable.create_database()
    node, ledger, dice = (
        start_node(url, RBAC_WORKERS=2, **PATIENT),
        Ledger(),
        random.Random("crash"),
    )
    mint = Mint(url)
    clients = crowd(node, mint, ledger)

    def crash() -> None:
        ledger.await_more(dice.randint(2, 16))
        time.sleep(dice.uniform(0, 0.02))
        durable.restart(immediate=True)

    for number in range(CRASHES):
        mint.database.dispose()
        burst(clients, crash)
        assert ledger.settle(mint.database) == [], f"crash {number}"
    assert broken_chain(mint.database) is None
    assert ledger.acknowledged > CRASHES
    mint.close()
