"""What one worker has revoked no other worker accepts, from the very next request on: ten times as often in `make soak`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.calls import doors
from tests.faults.conftest import StartNode
from tests.faults.minting import Mint
from tests.faults.revocations import Contest
from tests.servers.postgres import PostgresServer
from tests.servers.service import Service
from tests.sizes import sized

pytestmark = pytest.mark.soak

A_THOUSAND = {
    "session revoked": 350, "signed out": 250, "role taken away": 150, "permission withdrawn": 100, "user disabled": 50,
    "password reset": 50, "all sessions revoked": 50,
}  # fmt: skip
ROUNDS = {kind: rounds // sized(10, 1) for kind, rounds in A_THOUSAND.items()}
TWIN = 20  # no contest has fewer
CARELESS = Path(__file__).with_name("careless.py")


def breaches(url: str, rounds: dict[str, int], *nodes: Service) -> list[str]:
    """Of a contest between the two workers of one node, or between two nodes."""
    mint = Mint(url)
    contest = Contest(mint, rounds)
    mint.close()
    with ExitStack() as stack:
        found = [lines for node in nodes for lines in doors(node, 2)]
        for line in (line for lines in found for line in lines):
            stack.callback(line.close)
        return contest.breaches(found)


def test_the_other_worker_never_accepts_what_one_has_revoked(
    postgres: PostgresServer, start_node: StartNode
) -> None:
    url = postgres.create_database()
    assert breaches(url, ROUNDS, start_node(url, RBAC_WORKERS=2)) == []


def test_nor_does_the_other_node(empty_url: str, start_node: StartNode) -> None:
    nodes = [start_node(empty_url, RBAC_WORKERS=1) for _ in range(2)]
    assert breaches(empty_url, ROUNDS, *nodes) == []


def test_the_same_rounds_catch_nodes_that_do_not_wait_for_each_other(
    empty_url: str, start_node: StartNode
) -> None:
    nodes = [
        start_node(empty_url, str(CARELESS), RBAC_WORKERS=1, PYTHONPATH=CARELESS.parents[2]) for _ in range(2)
    ]
    assert breaches(empty_url, {"session revoked": TWIN}, *nodes)
