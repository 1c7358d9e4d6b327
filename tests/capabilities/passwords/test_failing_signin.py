"""A failed sign-in tells nothing: neither by its answer nor by the work it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from time_machine import Traveller as Frozen
from werkzeug.test import TestResponse

from tests.builders import Stage
from tests.capabilities.passwords.spy import Spy, hashed, own_hasher, store
from tests.cast import ALICE, PASSWORD

CONFIGURED, OLD = 4, 5
ATTEMPT = {"username": "dave", "password": PASSWORD}
WRONG = {"username": "dave", "password": "not the one of Dave's"}


def nothing(_stage: Stage) -> None:
    """As the curtain rises."""


def locked(stage: Stage) -> None:
    for _ in range(stage.settings.signin_free_failures):
        stage.caller().post("/v1/auth/login", json=WRONG)


def deleted(stage: Stage) -> None:
    stage.as_(ALICE).delete_now(f"/v1/users/{stage.user_id('dave')}")


def storing(value: Callable[[Stage], str | None]) -> Callable[[Stage], None]:
    return lambda stage: store(stage, "dave", value(stage))


def disabled_with_an_old_hash(stage: Stage) -> None:
    store(stage, "dave", hashed(stage, PASSWORD, cost=OLD))
    stage.execute("UPDATE users SET status = 'disabled' WHERE username_canonical = 'dave'")


# who, what was done to Dave before, and the hashes it may cost
CLASSES: dict[str, tuple[dict[str, str], Callable[[Stage], None], list[int]]] = {
    "nobody of that name": ({"username": "nobody", "password": PASSWORD}, nothing, [CONFIGURED]),
    "a wrong password": (WRONG, nothing, [CONFIGURED]),
    "a disabled account, right password": (
        {"username": "mallory", "password": PASSWORD},
        nothing,
        [CONFIGURED],
    ),
    "a locked account, right password": (ATTEMPT, locked, [CONFIGURED]),
    "a deleted account": (ATTEMPT, deleted, [CONFIGURED]),
    "no password set": (ATTEMPT, storing(lambda _: None), [CONFIGURED]),
    "a password of 73 bytes": ({"username": "dave", "password": "x" * 73}, nothing, [CONFIGURED]),
    "the longest password": ({"username": "dave", "password": "é" * 1024}, nothing, [CONFIGURED]),
    "an old hash, wrong password": (
        WRONG,
        storing(lambda s: hashed(s, PASSWORD, cost=OLD)),
        [OLD, CONFIGURED],
    ),
    "an old hash of a disabled account": (ATTEMPT, disabled_with_an_old_hash, [CONFIGURED]),
    "an empty hash": (ATTEMPT, storing(lambda _: ""), [CONFIGURED]),
    "a hash of another make": (ATTEMPT, storing(lambda _: "$argon2id$v=19$m=1$AAAA$AAAA"), [CONFIGURED]),
    "a hash without its scheme": (ATTEMPT, storing(lambda s: hashed(s, PASSWORD)[3:]), [CONFIGURED]),
    "a hash cut short": (ATTEMPT, storing(lambda s: hashed(s, PASSWORD)[:-1]), [CONFIGURED]),
    "a hash with a damaged salt": (ATTEMPT, storing(lambda _: "p1$$2b$04$" + "/" * 53), [CONFIGURED]),
    "a hash too cheap to be one": (
        ATTEMPT,
        storing(lambda s: hashed(s, PASSWORD).replace("$04$", "$03$")),
        [CONFIGURED],
    ),
    "a hash that would take hours": (
        ATTEMPT,
        storing(lambda s: hashed(s, PASSWORD).replace("$04$", "$31$")),
        [CONFIGURED],
    ),
}


def attempt(stage: Stage, name: str) -> TestResponse:
    who, prepare, _ = CLASSES[name]
    prepare(stage)
    return stage.caller().post("/v1/auth/login", json=who)


@pytest.mark.parametrize("name", CLASSES)
def test_every_failure_costs_exactly_one_hash_at_the_configured_cost(
    stage: Stage, frozen: Frozen, spy: Spy, name: str
) -> None:
    who, prepare, costs = CLASSES[name]
    prepare(stage)

    computed = spy.during(lambda: stage.caller().post("/v1/auth/login", json=who))

    assert computed == costs
    assert computed.count(CONFIGURED) == 1
    assert set(spy.connections) == {0}


def test_the_dummy_follows_the_configured_cost(stage: Stage, spy: Spy) -> None:
    with own_hasher(stage, password_cost=6):
        computed = spy.during(
            lambda: stage.caller().post("/v1/auth/login", json={"username": "nobody", "password": PASSWORD})
        )

    assert computed[-1:] == [6]


def test_a_dummy_that_is_no_hash_would_be_noticed(
    stage: Stage, spy: Spy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin: nothing is computed for somebody unknown, so that her absence shows in the time."""
    monkeypatch.setattr(stage.guard.runtime.hasher, "_dummy", b"dummy")

    computed = spy.during(
        lambda: stage.app.test_client().post(
            "/v1/auth/login", json={"username": "nobody", "password": PASSWORD}
        )
    )

    assert computed == []


def shown(answer: TestResponse) -> Any:
    """Everything of an answer that does not differ from request to request."""
    body = {key: value for key, value in answer.json.items() if key != "request_id"}
    counting = ("X-Request-ID", "RateLimit")  # which differ from request to request, whoever it is
    headers = sorted((key, value) for key, value in answer.headers if key not in counting)
    return answer.status_code, body, headers, len(answer.data)


def test_all_failures_have_one_and_the_same_answer(stage: Stage, frozen: Frozen) -> None:
    answers = []
    for name in CLASSES:
        stage.reset()
        answers.append(shown(attempt(stage, name)))

    assert answers[0][1]["code"] == "login.failed"
    assert all(answer == answers[0] for answer in answers)


def test_the_trail_alone_knows_why(stage: Stage, frozen: Frozen) -> None:
    reasons = {}
    for name in (
        "nobody of that name",
        "a wrong password",
        "a locked account, right password",
        "a deleted account",
        "no password set",
    ):
        stage.reset()
        attempt(stage, name)
        reasons[name] = stage.events("signin.failed")[-1]["reason"]

    assert list(reasons.values()) == [
        "unknown user",
        "wrong password",
        "locked",
        "unknown user",
        "no password set",
    ]
