"""The denylist in Redis: what stands there, for how long, and that it comes back after whatever befell the store."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis
import time_machine

from rbac_api import clock
from rbac_api.guard.revocation import queries
from rbac_api.guard.revocation import redis_publisher as publisher
from rbac_api.guard.revocation.denylist import outdate, revoke
from rbac_api.guard.revocation.redis_publisher import MARK, RedisPublisher
from rbac_api.observability.metrics import DENYLIST_DEGRADED
from rbac_api.trail.recorder import SYSTEM, Target, record
from rbac_api.web.server.shared_store import client_options
from tests.builders import OpenNode, Stage
from tests.cast import ALICE, DAVE
from tests.patience import PATIENCE
from tests.patience import eventually as comes
from tests.servers.valkey import ValkeyServer

LONG, SHORT = (
    40.0,
    20.0,
)  # seconds: what a fault would take, and what nothing else takes on the slowest machine


@pytest.fixture
def store(valkey: ValkeyServer) -> Iterator[Any]:
    """An empty store, and a client of it."""
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
        yield client


def give_up_after(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the publisher, and nobody else, wait for the store for so long."""
    waiting = {"socket_timeout": seconds, "socket_connect_timeout": seconds}
    monkeypatch.setattr(publisher, "client_options", lambda: {**client_options(), **waiting})


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever revoked something waits for the publisher, and the publisher for the store, on the slowest machine."""
    monkeypatch.setattr(publisher, "PUBLISH_TIMEOUT", PATIENCE)
    give_up_after(PATIENCE, monkeypatch)


@pytest.fixture
def own(store: Any, valkey: ValkeyServer, node: OpenNode, patient: None) -> Stage:
    """A node that publishes, on a database whose denylist is empty."""
    found = node(redis_url=valkey.url)
    found.execute("DELETE FROM revocations")
    return found


def deny(stage: Stage, *jtis: str) -> float:
    """Revoke tokens; how long that took, the waiting for the publisher included."""
    began = clock.monotonic()
    with stage.database.writing() as connection:
        revoke(connection, stage.settings, "jti", jtis)
        record(connection, SYSTEM, "token.revoked", Target("token"))
    return clock.monotonic() - began


def eventually(happened: Callable[[], Any]) -> bool:
    def it_happened() -> bool:
        with suppress(redis.RedisError):
            return bool(happened())
        return False

    return comes(it_happened)


def test_a_revocation_stands_there_when_its_answer_comes_for_as_long_as_the_token_could_live(
    own: Stage, store: Any
) -> None:
    alice, dave = own.as_(ALICE), own.as_(DAVE)
    began = time.monotonic()
    alice.delete(f"/v1/sessions/{dave.tokens['session_id']}")

    key = f"rbac:revoked:{dave.tokens['session_id']}"
    lifetime = own.settings.access_token_seconds + own.settings.clock_leeway_seconds
    assert store.get(key) == b"sid"
    left = store.pttl(key) / 1000
    assert lifetime - 1 - (time.monotonic() - began) < left <= lifetime


def test_tokens_keys_and_versions_stand_there_each_in_its_way(own: Stage, store: Any) -> None:
    own.as_(DAVE)
    dave = own.user_id(DAVE)
    with own.database.writing() as connection:
        revoke(connection, own.settings, "jti", ["token"])
        revoke(connection, own.settings, "kid", ["key"])
        outdate(connection, own.settings, {dave: 7})
        record(connection, SYSTEM, "token.revoked", Target("token"))
    names = ("revoked:token", "revoked:key", f"av:{dave}")
    assert [store.get(f"rbac:{name}") for name in names] == [b"jti", b"kid", b"7"]
    assert all(store.pttl(f"rbac:{name}") > 0 for name in names)


def flush(store: Any) -> None:
    store.flushall()


def spoil(store: Any, *keys: Any) -> None:
    """Lists where texts should be."""
    with store.pipeline() as pipe:  # all at once, or a look in between would make a text of it again
        for key in keys or store.keys("*"):
            pipe.delete(key)
            pipe.lpush(key, "rubbish")
        pipe.execute()


def forge(store: Any) -> None:
    """A cursor that says that everything is there already."""
    store.flushall()
    store.set(MARK, f"{99:016x}-{0:016x}")


def garble(store: Any) -> None:
    store.flushall()
    store.set(MARK, b"\xff\x00 not a cursor")


@pytest.mark.parametrize("harm", [flush, spoil, forge, garble])
def test_it_comes_back_after(own: Stage, store: Any, harm: Callable[[Any], None]) -> None:
    own.as_(ALICE)
    deny(own, "one")
    assert store.get("rbac:revoked:one") == b"jti"
    harm(store)
    assert eventually(lambda: store.get("rbac:revoked:one") == b"jti")
    deny(own, "two")
    assert store.get("rbac:revoked:two") == b"jti"


def test_single_keys_that_were_lost_come_back_within_a_minute(
    own: Stage, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "POLLS_PER_FULL_COPY", 3)
    deny(own, "one", "two")
    store.delete("rbac:revoked:one")
    spoil(store, "rbac:revoked:two")
    assert eventually(lambda: store.get("rbac:revoked:one") and store.get("rbac:revoked:two") == b"jti")


def test_what_another_process_revoked_and_did_not_live_to_publish_is_published_by_this_one(
    own: Stage, stage: Stage, store: Any
) -> None:
    assert own.as_(DAVE).get("/v1/me").status_code == 200
    deny(stage, "orphan")
    assert eventually(lambda: store.get("rbac:revoked:orphan"))


def test_what_has_expired_is_not_published(own: Stage, store: Any) -> None:
    with own.database.writing() as connection:
        revoke(connection, own.settings, "jti", ["old"])
    own.execute("UPDATE revocations SET expires_at = '2020-01-01 00:00:00'")
    deny(own, "new")
    assert (store.get("rbac:revoked:old"), store.get("rbac:revoked:new")) == (None, b"jti")


def test_what_expires_on_the_way_is_not_sent(own: Stage, store: Any) -> None:
    deny(own, "late")
    with own.database.reading() as connection:
        rows = queries.list_live_revocations(connection, 0, clock.now())
    store.flushall()
    with time_machine.travel(rows[0].expires_at):
        publisher._send(store, rows)
    assert store.keys("rbac:revoked:*") == []


def test_more_than_goes_into_one_round_trip(own: Stage, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "BATCH", 10)
    deny(own, *map(str, range(35)))
    assert eventually(lambda: len(store.keys("rbac:revoked:*")) == 35)


def test_a_store_that_hangs_keeps_nobody_waiting_until_it_is_given_up(
    node: OpenNode, store: Any, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_up_after(LONG, monkeypatch)
    own = node(redis_url=valkey.url)
    assert deny(own, "before") < SHORT
    valkey.freeze()
    try:
        waited = deny(own, "meanwhile")
    finally:
        valkey.thaw()

    assert publisher.PUBLISH_TIMEOUT * 0.9 < waited < SHORT
    assert eventually(lambda: store.get("rbac:revoked:meanwhile"))


def test_a_store_that_is_known_to_hang_costs_nothing_and_is_told_of_once(
    own: Stage,
    store: Any,
    valkey: ValkeyServer,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    give_up_after(0.2, monkeypatch)
    monkeypatch.setattr(publisher, "POLL_SECONDS", 0.05)
    dave, mine, said = own.as_(DAVE), own.guard.publisher, []

    def told(times: int, word: str) -> bool:
        said.append(capfd.readouterr().err)
        return "".join(said).count(word) == times

    valkey.freeze()
    try:
        deny(own, "first")
        assert eventually(lambda: DENYLIST_DEGRADED._value.get() == 1)
        looks = mine._polls
        again = deny(own, "later")
        assert eventually(lambda: mine._polls > looks + 2)
        assert dave.get("/v1/me").status_code == 200
        assert eventually(lambda: told(1, "denylist.degraded"))
    finally:
        valkey.thaw()

    assert again < SHORT < publisher.PUBLISH_TIMEOUT
    assert eventually(lambda: store.get("rbac:revoked:later"))
    assert eventually(lambda: told(1, "denylist.restored"))


def test_a_publisher_whose_thread_died_gets_another(own: Stage, store: Any) -> None:
    mine = own.guard.publisher
    deny(own, "one")
    first, mine._thread = mine._thread, threading.Thread()
    deny(own, "two")
    assert store.get("rbac:revoked:two") == b"jti"

    mine.close()
    first.join()  # it did not die, and would still hold a connection when the pool is gone


def test_a_publisher_without_a_store_has_nothing_to_do(stage: Stage) -> None:
    idle = RedisPublisher(stage.settings, stage.database)
    idle.start()
    assert idle._thread is None
    idle.close()


def test_a_closed_publisher_does_not_begin_again(own: Stage) -> None:
    own.guard.publisher.close()
    own.guard.publisher.start()
    assert own.guard.publisher._thread is None
