"""Every answer of a limited operation says what is left, in fields that a strict parser reads (RFC 9651, the RateLimit draft)."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable

import pytest
import redis
from limits.storage import MemoryStorage
from time_machine import Traveller
from werkzeug.test import TestResponse

from rbac_api import clock
from rbac_api.web.server import rate_limits
from tests.builders import Stage
from tests.capabilities.conftest import OpenNode
from tests.capabilities.signin.crowd import refresh, together
from tests.cast import DAVE, PASSWORD
from tests.patience import eventually
from tests.servers.valkey import ValkeyServer

ITEM = re.compile(r'"([a-z0-9-]+)"((?:;[a-z]=\d{1,15})+)')


def parsed(field: str) -> dict[str, dict[str, int]]:
    """A List of Strings with Integer parameters, as RFC 9651 sections 4.2.1 to 4.2.3 have them; anything else fails."""
    found = {}
    for item in field.split(", "):
        match = ITEM.fullmatch(item)
        assert match, field
        found[match[1]] = {name: int(value) for name, value in re.findall(r";([a-z])=(\d+)", match[2])}
    return found


def attempt(stage: Stage, password: str = PASSWORD, **headers: str) -> TestResponse:
    body = {"username": "dave", "password": password}
    return stage.caller().client.post("/v1/auth/login", json=body, headers=headers)


def left(answer: TestResponse) -> dict[str, int]:
    return {name: values["r"] for name, values in parsed(answer.headers["RateLimit"]).items()}


def test_the_quota_falls_to_nothing_and_then_the_address_is_told_when_to_come_back(
    node: OpenNode, frozen: Traveller
) -> None:
    strict = node(signin_limit="3 per minute")

    answers = [attempt(strict) for _ in range(4)]

    assert [left(answer)["signin"] for answer in answers] == [2, 1, 0, 0]
    assert {answer.headers["RateLimit-Policy"] for answer in answers} == {'"signin";q=3;w=60'}
    refused = answers[-1]
    assert (refused.status_code, refused.json["code"]) == (429, "rate.exceeded")
    assert refused.json["violated-policies"] == ["signin"]
    assert int(refused.headers["Retry-After"]) >= parsed(refused.headers["RateLimit"])["signin"]["t"]
    frozen.shift(int(refused.headers["Retry-After"]))
    assert attempt(strict).status_code == 200


def test_a_failed_attempt_says_it_too(node: OpenNode, frozen: Traveller) -> None:
    assert left(attempt(node(signin_limit="3 per minute"), "wrong")) == {"signin": 2}


def test_of_several_limits_each_has_its_name_and_its_own_count(node: OpenNode, frozen: Traveller) -> None:
    strict = node(signin_limit="2 per minute; 3 per 2 hours")
    policy = {"signin": {"q": 2, "w": 60}, "signin-2": {"q": 3, "w": 7200}}
    frozen.shift(7200 - clock.epoch_seconds() % 7200)  # two hours are counted from an even one

    first, second, minute = (attempt(strict) for _ in range(3))
    frozen.shift(120)
    third, hours = attempt(strict), attempt(strict)

    assert [parsed(a.headers["RateLimit-Policy"]) for a in (first, minute, hours)] == [policy] * 3
    assert [left(a) for a in (first, second)] == [{"signin": 1, "signin-2": 2}, {"signin": 0, "signin-2": 1}]
    assert (minute.status_code, minute.json["violated-policies"]) == (429, ["signin"])
    assert (third.status_code, hours.status_code) == (200, 429)
    assert hours.json["violated-policies"] == ["signin-2"]
    assert int(hours.headers["Retry-After"]) >= max(
        values["t"] for values in parsed(hours.headers["RateLimit"]).values()
    )


def test_refreshing_has_a_count_of_its_own(stage: Stage, node: OpenNode) -> None:
    strict, token = node(token_limit="2 per year"), stage.as_(DAVE).tokens["refresh_token"]

    answers = [refresh(strict, token) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].json["violated-policies"] == ["token"]
    assert parsed(answers[0].headers["RateLimit-Policy"]) == {"token": {"q": 2, "w": 31_104_000}}
    assert attempt(strict).status_code == 200


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
def test_guessing_at_a_clients_secret_is_limited_and_says_so(
    node: OpenNode, frozen: Traveller, path: str
) -> None:
    strict = node(token_limit="2 per minute")
    form = {"grant_type": "client_credentials", "token": "x", "client_id": "robot", "client_secret": "guess"}

    found = [strict.caller().client.post(path, data=form) for _ in range(3)]

    assert [answer.status_code for answer in found] == [401, 401, 429]
    assert [left(answer)["token"] for answer in found] == [1, 0, 0]
    assert int(found[2].headers["Retry-After"]) >= parsed(found[2].headers["RateLimit"])["token"]["t"]


def test_two_groups_at_once_never_take_each_others_limit(node: OpenNode) -> None:
    service = node(signin_limit="1000 per minute", token_limit="2000 per minute", signin_queue=64)
    token = service.as_(DAVE).tokens["refresh_token"]
    both: list[Callable[[], TestResponse]] = [lambda: attempt(service), lambda: refresh(service, token)]

    answers = together(24, lambda number: (number % 2, both[number % 2]()))

    expected = ['"signin";q=1000;w=60', '"token";q=2000;w=60']
    assert all(answer.headers["RateLimit-Policy"] == expected[group] for group, answer in answers)


def test_two_who_are_counted_in_memory_at_once_are_both_answered(
    stage: Stage, node: OpenNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library sets its timer and starts what is set: another thread may have set another one in between."""
    service, both, timers = node(), threading.Barrier(2), list[threading.Timer]()
    main = threading.current_thread()

    class Interrupted(MemoryStorage):
        @property
        def timer(self) -> threading.Timer:
            return timers[-1]

        @timer.setter
        def timer(self, timer: threading.Timer) -> None:
            timers.append(timer)
            if threading.current_thread() is main:
                return
            with contextlib.suppress(threading.BrokenBarrierError):
                both.wait(0.2)

    monkeypatch.setattr(rate_limits, "MemoryStorage", Interrupted)

    assert attempt(service).status_code == 200
    assert eventually(lambda: not timers[-1].is_alive())

    assert together(2, lambda _: attempt(service).status_code) == [200, 200]


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Client-IP", "RateLimit"])
def test_no_header_of_the_clients_own_gives_it_more(node: OpenNode, frozen: Traveller, header: str) -> None:
    strict = node(signin_limit="2 per minute")

    found = [attempt(strict, **{header: f"198.51.100.{number}"}) for number in range(3)]

    assert [answer.status_code for answer in found] == [200, 200, 429]


def test_an_operation_without_a_limit_says_nothing(stage: Stage) -> None:
    assert "RateLimit" not in stage.as_(DAVE).get("/v1/me").headers


def test_a_browser_program_may_read_them(node: OpenNode) -> None:
    open_node = node(cors_origins=("https://app.example.com",))

    answer = attempt(open_node, Origin="https://app.example.com")

    exposed = answer.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"RateLimit", "RateLimit-Policy", "Retry-After"} <= set(exposed)


def test_counting_on_in_memory_says_what_is_left_there(node: OpenNode, valkey: ValkeyServer) -> None:
    service = node(signin_limit="3 per year", redis_url=valkey.url)
    with redis.Redis.from_url(valkey.url) as client:
        client.flushall()
    shared = left(attempt(service))
    valkey.crash()

    found = [attempt(service) for _ in range(4)]
    valkey.restart()

    assert shared == {"signin": 2}
    assert [left(answer)["signin"] for answer in found] == [2, 1, 0, 0]
    assert [answer.status_code for answer in found] == [200, 200, 200, 429]
