"""Keys that change under load: no request fails, a node that dies then leaves one key that signs, and other services follow."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import chain
from statistics import median
from typing import Any

import pytest

from rbac_api.verifier import Refused, Verifier
from tests.cast import PASSWORD
from tests.faults.calls import Line, call, doors, once
from tests.faults.conftest import StartNode
from tests.faults.minting import Mint, Pass
from tests.patience import eventually
from tests.servers.postgres import PostgresServer
from tests.servers.service import SETTINGS, Service

CLIENTS, ROTATIONS = 4, 20
AT_ONCE = {"emergency": True}
MANY = "100000 per minute"  # refreshes of one account
BOUND = 5.0  # seconds: poll 0.5 + RBAC_REVOCATION_SECONDS 1 + an answer


def passes(url: str, number: int) -> list[Pass]:
    mint = Mint(url)
    found = mint.passes([mint.user_id("admin")] * number)
    mint.close()
    return found


class Connections:
    """Somebody per session who refreshes and uses what she gets, now with this worker and now with that one, while something is done.

    ``wrong`` is what was answered that should not have been; from somebody whose node has ``gone`` nothing more is heard.
    """

    def __init__(self, node: Service, sessions: list[Pass], gone: type[Exception]) -> None:
        self.wrong: list[Any] = []
        self._gone = gone
        self._stop = threading.Event()
        self._lines = list(zip(*doors(node, len(sessions)), strict=True))
        self._threads = [
            threading.Thread(target=self._work, args=(each.refresh, lines))
            for each, lines in zip(sessions, self._lines, strict=True)
        ]

    def __enter__(self) -> Connections:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        for line in chain(*self._lines):
            line.close()

    def _work(self, token: str, lines: tuple[Line, ...]) -> None:
        here, there = lines
        while not self._stop.is_set():
            try:
                answer = call(here, "POST", "/v1/auth/refresh", None, {"refresh_token": token})
                used = call(there, "GET", "/v1/me", answer.json.get("access_token"))
            except self._gone:
                return
            if (answer.status, used.status) != (200, 200):
                self.wrong.append((answer.status, answer.body, used.body))
                return
            token, here, there = answer.json["refresh_token"], there, here


class NeverRaised(Exception):
    """Stands for no exception at all."""


def test_keys_change_twenty_times_under_load_and_nobody_is_refused(
    empty_url: str, start_node: StartNode
) -> None:
    node = start_node(empty_url, RBAC_WORKERS=2, RBAC_ACCOUNT_LIMIT=MANY)
    admin, *others = passes(empty_url, CLIENTS + 1)
    with Connections(node, others, NeverRaised) as crowd:
        for _ in range(ROTATIONS):
            assert once(node, "POST", "/v1/keys/rotate", admin.access, AT_ONCE).status == 201
            time.sleep(0.05)

    assert crowd.wrong == []
    assert states(node, admin) == ["active"] + ["retired"] * ROTATIONS


def test_keys_change_by_themselves_under_load_and_nobody_is_refused(
    postgres: PostgresServer, start_node: StartNode
) -> None:
    url = postgres.create_database()
    node = start_node(
        url,
        RBAC_WORKERS=2,
        RBAC_KEY_ROTATION=1,
        RBAC_JWKS_SECONDS=1,
        RBAC_CLOCK_LEEWAY_SECONDS=0,
        RBAC_ACCOUNT_LIMIT=MANY,
    )
    admin, *others = passes(url, CLIENTS + 1)
    with Connections(node, others, NeverRaised) as crowd:
        assert eventually(lambda: states(node, admin).count("retired") >= 3, 0.2)

    assert crowd.wrong == []
    assert states(node, admin).count("active") == 1


def test_a_node_killed_while_keys_change_leaves_one_that_signs(empty_url: str, start_node: StartNode) -> None:
    node = start_node(empty_url, RBAC_WORKERS=2, RBAC_ACCOUNT_LIMIT=MANY)
    admin, *others = passes(empty_url, CLIENTS + 1)
    for delay in (0.02, 0.1, 0.3):
        killer = threading.Timer(delay, node.kill)
        with Connections(node, others[:CLIENTS], Exception):
            killer.start()
            with pytest.raises((OSError, http.client.HTTPException)):
                while True:
                    once(node, "POST", "/v1/keys/rotate", admin.access, AT_ONCE)
            killer.join()
        node.start()
        assert states(node, admin).count("active") == 1
        assert once(node, "GET", "/v1/me", admin.access).status == 200
        login = once(node, "POST", "/v1/auth/login", None, {"username": "admin", "password": PASSWORD})
        assert once(node, "GET", "/v1/me", login.json["access_token"]).status == 200


def states(node: Service, admin: Pass) -> list[str]:
    return [key["state"] for key in once(node, "GET", "/v1/keys?limit=200", admin.access).json["items"]]


# -- another service beside it ---------------------------------------------------------------------------------------------------


@pytest.fixture
def beside(empty_url: str, start_node: StartNode) -> Iterator[tuple[Service, Verifier, list[Pass]]]:
    """A node of two workers, somebody else's verifier, and sessions of the administrator."""
    node = start_node(empty_url, RBAC_WORKERS=2, RBAC_REVOCATION_SECONDS=1, RBAC_ACCOUNT_LIMIT=MANY)
    address = f"http://127.0.0.1:{node.port}"
    verifier = Verifier(
        SETTINGS["RBAC_ISSUER"], "rbac-api", service=address, poll_seconds=0.5, bound_seconds=60
    )
    yield node, verifier, [refreshed(node, each) for each in passes(empty_url, 6)]
    verifier.close()


def refreshed(node: Service, minted: Pass) -> Pass:
    """With tokens of the service's own: minted ones name a version of nobody's."""
    tokens = once(node, "POST", "/v1/auth/refresh", None, {"refresh_token": minted.refresh}).json
    return replace(minted, access=tokens["access_token"], refresh=tokens["refresh_token"])


def honoured(verifier: Verifier, token: str) -> bool:
    try:
        verifier.identify_token(token)
    except Refused as refused:
        if refused.status != 401:
            raise
        return False
    return True


def seconds_until(happened: Callable[[], bool]) -> float:
    began = time.monotonic()
    assert eventually(happened, 0.02)
    return time.monotonic() - began


def test_what_is_revoked_here_is_refused_there_within_the_stated_bound(
    beside: tuple[Service, Verifier, list[Pass]],
) -> None:
    node, verifier, (admin, *victims) = beside
    assert all(honoured(verifier, victim.access) for victim in victims)
    taken = []
    for victim in victims:
        assert once(node, "DELETE", f"/v1/sessions/{victim.session_id}", admin.access).status == 204
        taken.append(seconds_until(lambda token=victim.access: not honoured(verifier, token)))
    assert median(taken) < BOUND, "the machine delays one or the other, a fault delays them all"
    assert honoured(verifier, admin.access)


def test_a_new_key_is_good_there_at_once_and_a_withdrawn_one_bad_within_the_bound(
    beside: tuple[Service, Verifier, list[Pass]],
) -> None:
    node, verifier, (admin, other, *_) = beside
    assert honoured(verifier, other.access)
    (old,) = once(node, "GET", "/v1/keys", admin.access).json["items"]
    assert once(node, "POST", "/v1/keys/rotate", admin.access, AT_ONCE).status == 201
    fresh = refreshed(node, admin).access
    assert honoured(verifier, fresh)
    assert honoured(verifier, other.access)

    assert once(node, "DELETE", f"/v1/keys/{old['kid']}", fresh).status == 204

    with ExitStack() as stack:
        lines = [stack.enter_context(closing(line)) for (line,) in doors(node, 1)]
        assert {call(line, "GET", "/v1/me", other.access).status for line in lines} == {401}
    assert eventually(lambda: not honoured(verifier, other.access))
    assert honoured(verifier, fresh)
