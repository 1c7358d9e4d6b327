"""Seven ways in which the store of the published denylist can fail: none makes a revoked token good again, none delays an answer."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from statistics import median
from typing import Any

import pytest
import redis

from tests.conftest import ENGINES, Stages
from tests.faults.calls import Line, call, doors
from tests.faults.minting import Mint, Pass
from tests.patience import eventually
from tests.servers.places import server_folder
from tests.servers.service import SETTINGS, Service
from tests.servers.valkey import ValkeyServer, start_valkey

pytestmark = pytest.mark.outside
PROMPT, LATE = (
    1.0,
    5.0,
)  # seconds: half of the answers, and the last of them, on a machine that does other things as well
FIXER = "fixer"
Store = ValkeyServer


@dataclass(frozen=True)
class Publishing:
    """A node of two workers and the store that it publishes to."""

    url: str
    node: Service
    store: Store


@pytest.fixture(scope="module", params=ENGINES)
def publishing(request: pytest.FixtureRequest, stages: Stages) -> Iterator[Publishing]:
    """One for every fault in turn: each test revokes sessions of its own, and mends what it broke."""
    url, store = stages.empty_database(request.param, "publishing"), start_valkey()
    settings = {"RBAC_DATABASE_URL": url, "RBAC_WORKERS": "2", "RBAC_REDIS_URL": store.url}
    node = Service(server_folder("node"), {**SETTINGS, **settings}, warm=True)
    try:
        node.start()
        yield Publishing(url, node, store)
    finally:
        node.end()
        with suppress(ProcessLookupError):
            store.thaw()
        store.stop()


def client(store: Store, **who: str) -> Any:
    return redis.Redis.from_url(store.url, socket_timeout=2, **who)


def configure(store: Store, *words: str) -> None:
    with client(store) as line:
        line.execute_command(*words)


def lock_out(store: Store) -> None:
    """The password was changed and nobody told the service."""
    configure(store, "ACL", "SETUSER", FIXER, "on", ">fix", "~*", "+@all")
    with client(store, username=FIXER, password="fix") as line:
        line.execute_command("ACL", "SETUSER", "default", "resetpass", ">another", "-@all")
        line.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")


def let_in(store: Store) -> None:
    with client(store, username=FIXER, password="fix") as line:
        line.execute_command("ACL", "SETUSER", "default", "nopass", "+@all")


def fill_with_rubbish(store: Store) -> None:
    with client(store) as line:
        for key in line.keys("*"):
            line.delete(key)
            line.lpush(key, "rubbish")


def nothing(_store: Store) -> None:
    """Nobody mends anything."""


FAULTS: dict[str, tuple[Callable[[Store], None], Callable[[Store], None]]] = {
    "killed": (Store.crash, Store.restart),
    "stopped": (Store.freeze, Store.thaw),
    "flushed": (lambda s: configure(s, "FLUSHALL"), nothing),
    "full": (
        lambda s: configure(s, "CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction"),
        lambda s: configure(s, "CONFIG", "SET", "maxmemory", "0"),
    ),
    "a replica": (
        lambda s: configure(s, "REPLICAOF", "127.0.0.1", "1"),
        lambda s: configure(s, "REPLICAOF", "NO", "ONE"),
    ),
    "full of rubbish": (fill_with_rubbish, nothing),
    "locked": (lock_out, let_in),
}


class Watch:
    """How long answers take.  The machine delays one or the other; a store that is waited for delays each, or one for very long."""

    def __init__(self) -> None:
        self._taken: dict[str, list[float]] = defaultdict(list)

    def status(self, line: Line, method: str, path: str, token: str) -> int:
        """The status of an answer."""
        began = time.monotonic()
        status = call(line, method, path, token).status
        self._taken[method].append(time.monotonic() - began)
        return status

    def late(self) -> dict[str, list[float]]:
        """What was answered too late."""
        return {
            method: taken
            for method, taken in self._taken.items()
            if median(taken) > PROMPT or max(taken) > LATE
        }


def published(store: Store, victims: list[Pass]) -> bool:
    with client(store) as line, suppress(redis.RedisError):
        return all(line.get(f"rbac:revoked:{victim.session_id}") == b"sid" for victim in victims)
    return False


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_revoked_stays_so_and_nobody_waits_when_the_store_is(
    fault: str, publishing: Publishing
) -> None:
    (break_, mend), store = FAULTS[fault], publishing.store
    mint = Mint(publishing.url)
    admin, *victims = mint.passes([mint.user_id("admin")] * 8)
    mint.close()
    with ExitStack() as stack:
        lines = [stack.enter_context(closing(line)) for (line,) in doors(publishing.node, 1)]
        watch = Watch()
        assert revoke_all(watch, lines, admin, victims[:2]) == set()
        assert eventually(lambda: published(store, victims[:2]), 0.05)

        break_(store)
        assert revoke_all(watch, lines, admin, victims[2:]) == set()
        time.sleep(1.5)  # so that every worker has looked
        accepted = {watch.status(line, "GET", "/v1/me", one.access) for line in lines for one in victims}
        assert accepted == {401}

        mend(store)
        assert eventually(lambda: published(store, victims), 0.05)
        accepted = {watch.status(line, "GET", "/v1/me", one.access) for line in lines for one in victims}
        assert (accepted, watch.late()) == ({401}, {})


def revoke_all(watch: Watch, lines: list[Line], admin: Pass, victims: list[Pass]) -> set[str]:
    """Revoke each through one worker and call through all; whatever was not as it should be."""
    wrong = set()
    for number, victim in enumerate(victims):
        here = lines[number % len(lines)]
        if watch.status(here, "DELETE", f"/v1/sessions/{victim.session_id}", admin.access) != 204:
            wrong.add("not revoked")
        if {watch.status(line, "GET", "/v1/me", victim.access) for line in lines} != {401}:
            wrong.add("accepted")
        if {watch.status(line, "GET", "/v1/me", admin.access) for line in lines} != {200}:
            wrong.add("the administrator refused")
    return wrong
