"""The store behind the address limit is killed, hangs, or talks nonsense: sign-ins go on, counted in memory, and it says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import redis
from limits.storage import RedisStorage
from werkzeug.test import TestResponse

from rbac_api.web.server import rate_limits as limits
from tests.builders import OpenNode, Stage
from tests.capabilities.signin.crowd import together
from tests.cast import DAVE, PASSWORD
from tests.patience import at_best, eventually, seconds
from tests.servers.valkey import ValkeyServer


@pytest.fixture
def engine() -> str:
    """One will do: nothing here is told in SQL."""
    return "sqlite"


@pytest.fixture
def store(valkey: ValkeyServer) -> Iterator[ValkeyServer]:
    """An empty Valkey, and whatever the test did to it undone."""
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    yield valkey
    valkey.restart()


def attempt(stage: Stage) -> TestResponse:
    return stage.caller().post("/v1/auth/login", json={"username": "dave", "password": PASSWORD})


def degraded(stage: Stage) -> bool:
    return "rbac_rate_limit_degraded 1.0" in stage.caller().get("/metrics").text


def fill_with_the_wrong_types(store: ValkeyServer) -> None:
    with redis.Redis.from_url(store.url) as client:
        for key in client.scan_iter():
            client.delete(key)
            client.lpush(key, "not a counter")


def refuse_writes(store: ValkeyServer) -> None:
    with redis.Redis.from_url(store.url) as client:
        client.config_set("maxmemory", "1")


FAULTS: dict[str, Callable[[ValkeyServer], None]] = {
    "killed": ValkeyServer.crash,
    "frozen": ValkeyServer.freeze,
    "out of memory": refuse_writes,
    "full of wrong types": fill_with_the_wrong_types,
}


def test_two_nodes_share_one_count(store: ValkeyServer, stage: Stage, node: OpenNode) -> None:
    nodes = [node(signin_limit="4 per year", redis_url=store.url) for _ in range(2)]

    found = [attempt(nodes[number % 2]).status_code for number in range(6)]

    assert found == [200, 200, 200, 200, 429, 429]
    assert not degraded(nodes[0])


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_sign_ins_go_on_within_a_second_while_the_store_is(
    store: ValkeyServer,
    node: OpenNode,
    fault: Callable[[ValkeyServer], None],
    capfd: pytest.CaptureFixture[str],
) -> None:
    def slowest() -> float:
        store.restart()
        service, found = node(signin_limit="3 per year", redis_url=store.url), []
        assert attempt(service).status_code == 200
        fault(store)
        taken = [seconds(lambda: found.append(attempt(service).status_code)) for _ in range(4)]
        assert found == [200, 200, 200, 429]  # counted anew, in memory
        assert degraded(service)
        assert capfd.readouterr().err.count("limits.degraded") == 1
        return max(taken)

    assert at_best(slowest, 1) < 1


@pytest.mark.parametrize("fault", [ValkeyServer.crash, ValkeyServer.freeze], ids=["killed", "frozen"])
def test_a_crowd_that_finds_the_store_gone_at_once_is_served(
    store: ValkeyServer, node: OpenNode, fault: Callable[[ValkeyServer], None]
) -> None:
    service = node(signin_limit="1000 per minute", redis_url=store.url, signin_queue=64)
    together(20, lambda _: attempt(service))
    fault(store)

    found = together(20, lambda _: attempt(service).status_code)

    assert found == [200] * 20
    assert degraded(service)


def test_a_store_that_fails_whenever_it_is_asked_is_done_without(
    node: OpenNode, store: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = node(signin_limit="1 per year", redis_url=store.url)
    silence(monkeypatch, "acquire_sliding_window_entry")

    assert [attempt(service).status_code for _ in range(3)] == [200, 429, 429]


def test_a_store_that_counts_and_then_falls_silent_is_done_without(
    node: OpenNode, store: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = node(signin_limit="1 per year", redis_url=store.url)
    silence(monkeypatch, "get_sliding_window")

    first, second = attempt(service), attempt(service)

    assert (first.status_code, second.status_code) == (200, 429)
    assert [answer.headers["RateLimit"][:12] for answer in (first, second)] == ['"signin";r=0'] * 2


def silence(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Let the store fail at one of its operations."""

    def fail(*_: object, **__: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr(RedisStorage, method, fail)


def test_the_store_that_comes_back_is_used_again(
    store: ValkeyServer, node: OpenNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RETRY_SECONDS", 0.5)
    service = node(signin_limit="1000 per minute", redis_url=store.url)
    store.crash()
    attempt(service)
    assert degraded(service)
    store.restart()

    assert eventually(lambda: attempt(service).status_code == 200 and not degraded(service))


def test_attempts_from_an_unknown_address_are_counted_together(node: OpenNode) -> None:
    service = node(signin_limit="2 per year")
    body = {"username": "dave", "password": PASSWORD}

    found = [
        service.caller().client.post("/v1/auth/login", json=body, environ_overrides={"REMOTE_ADDR": address})
        for address in ("", "", "")
    ]

    assert [answer.status_code for answer in found] == [200, 200, 429]


def test_a_revocation_is_not_forgotten_with_the_store(store: ValkeyServer, node: OpenNode) -> None:
    service = node(redis_url=store.url)
    dave = service.as_(DAVE)
    dave.post("/v1/auth/logout")
    with redis.Redis.from_url(store.url) as client:
        client.flushall()
    store.freeze()

    assert dave.get("/v1/me").json["code"] == "token.revoked"
