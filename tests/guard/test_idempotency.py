"""Repeating a POST safely: the same key and body get the first answer again, whatever happened in between."""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine

from rbac_api.guard.enforcement.idempotency import Repeats
from tests.builders import Caller, OpenNode, Stage
from tests.capabilities.signin.crowd import together
from tests.cast import ALICE, BOB, DAVE
from tests.contract.operations import operations

RIVALS, ROUNDS, A_DAY = 8, 3, 86400
ERIN = {"username": "erin"}


def create(caller: Caller, body: dict[str, Any], key: str) -> Any:
    return caller.post("/v1/users", json=body, headers={"Idempotency-Key": key})


def count(stage: Stage, action: str = "user.created") -> int:
    return len(stage.events(action))


def test_bob_repeats_his_request_and_gets_the_very_same_answer(stage: Stage) -> None:
    bob, before = stage.as_(BOB), count(stage)

    first, again = (create(bob, ERIN, "k-1") for _ in range(2))

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.data == first.data
    for header in ("Location", "ETag", "Content-Type", "Cache-Control"):
        assert again.headers[header] == first.headers[header]
    assert again.headers["X-Request-ID"] != first.headers["X-Request-ID"]
    assert count(stage) == before + 1


def test_a_key_in_quotes_is_the_same_key(stage: Stage) -> None:
    bob = stage.as_(BOB)

    assert create(bob, ERIN, '"k-1"').json == create(bob, ERIN, "k-1").json


def test_the_same_key_for_another_request_is_refused(stage: Stage) -> None:
    bob = stage.as_(BOB)
    create(bob, ERIN, "k-1")

    body = create(bob, {"username": "frank"}, "k-1")
    path = bob.post("/v1/roles", json=ERIN, headers={"Idempotency-Key": "k-1"})

    assert [(answer.status_code, answer.json["code"]) for answer in (body, path)] == [
        (422, "idempotency.mismatch")
    ] * 2


def test_alices_key_is_not_bobs(stage: Stage) -> None:
    create(stage.as_(BOB), ERIN, "k-1")

    answer = create(stage.as_(ALICE), {"username": "frank"}, "k-1")

    assert (answer.status_code, answer.json["username"]) == (201, "frank")


def test_a_request_that_failed_may_be_repeated_with_its_key(stage: Stage) -> None:
    bob = stage.as_(BOB)
    taken = create(bob, {"username": "dave"}, "k-1")

    assert taken.json["code"] == "user.username_taken"
    assert create(bob, ERIN, "k-1").status_code == 201


def test_a_reset_repeated_gives_the_same_token_and_resets_once(stage: Stage) -> None:
    bob, path = stage.as_(BOB), f"/v1/users/{stage.user_id(DAVE)}/password-reset"

    tokens = {bob.post(path, headers={"Idempotency-Key": "k-1"}).json["token"] for _ in range(3)}

    assert len(tokens) == 1
    assert count(stage, "password.reset") == 1
    assert stage.query("SELECT count(*) FROM password_setups WHERE spent_at IS NULL") == [(1,)]


def test_bob_who_may_no_more_does_not_get_the_old_answer(stage: Stage) -> None:
    bob = stage.as_(BOB)
    create(bob, ERIN, "k-1")
    stage.as_(ALICE).delete(f"/v1/users/{stage.user_id(BOB)}/roles/role-manager")

    assert create(bob, ERIN, "k-1").json["required"] == "users:create"


def test_an_answer_is_kept_for_a_day(stage: Stage) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        first = create(stage.as_(BOB), ERIN, "k-1")
        clock.shift(A_DAY - 1)
        assert create(stage.as_(BOB), ERIN, "k-1").json == first.json

        clock.shift(1)

        assert create(stage.as_(BOB), ERIN, "k-1").json["code"] == "user.username_taken"
        assert create(stage.as_(BOB), {"username": "frank"}, "k-1").status_code == 201
        assert stage.query("SELECT count(*) FROM idempotency_keys") == [(1,)]


def test_a_kept_answer_lies_sealed(stage: Stage) -> None:
    token = create(stage.as_(BOB), ERIN, "k-1").json["password_setup"]["token"]

    assert token not in str(stage.query("SELECT * FROM idempotency_keys"))


@pytest.mark.parametrize("key", ["", " ", '""', "ü", "a b", "x" * 256, '"' + " " * 400 + 'x"'])
def test_a_key_is_of_visible_characters_and_not_too_long(stage: Stage, key: str) -> None:
    answer = create(stage.as_(BOB), ERIN, key)

    assert (answer.status_code, answer.json["code"]) == (422, "idempotency.invalid")
    assert [fault["pointer"] for fault in answer.json["errors"]] == ["/Idempotency-Key"]


def test_the_longest_key_is_kept(stage: Stage) -> None:
    assert create(stage.as_(BOB), ERIN, '"' + "x" * 255 + '"').status_code == 201


def test_exactly_what_creates_with_post_honours_a_key(stage: Stage) -> None:
    for operation in operations(stage.app):
        documented = "Idempotency-Key" in operation.headers
        answered = "idempotency.running" in operation.codes(409)
        assert operation.creates == documented == answered, operation.id


def rush(stages: list[Stage], bob: Caller, key: str) -> list[int]:
    """Everybody sends the same request at once, to one node or to several."""
    path = f"/v1/users/{stages[0].user_id(DAVE)}/password-reset"

    def send(number: int) -> int:
        client = stages[number % len(stages)].app.test_client()
        return client.post(path, headers={**bob.headers, "Idempotency-Key": key}).status_code

    return together(RIVALS, send)


def test_of_many_at_once_one_runs_and_the_others_wait_or_are_told(stage: Stage, node: OpenNode) -> None:
    bob, nodes = stage.as_(BOB), [stage, node()]

    for number in range(ROUNDS):
        statuses = rush(nodes, bob, f"k-{number}")
        assert set(statuses) <= {201, 409}
        assert 201 in statuses

    assert count(stage, "password.reset") == ROUNDS


def test_a_look_for_the_answer_beforehand_alone_would_run_many(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin: a kept answer is looked for, but neither a claim nor a row of its own guards the key."""

    def naive(self: Any, request: Any, scope: str, run: Any, domain: str) -> Any:
        return run(lambda _connection, _answer: None)

    monkeypatch.setattr(Repeats, "once", naive)

    assert rush([stage], stage.as_(BOB), "k-1") == [201] * RIVALS
    assert count(stage, "password.reset") > 1
