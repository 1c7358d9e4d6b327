"""What an account may write without any permission has a limit of its own, from whatever addresses it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.builders import Caller, OpenNode, Stage
from tests.cast import ALICE, BOB, DAVE
from tests.contract.operations import operations

LIMIT = 5
# What writes without a permission, and has no limit: each ends something that only a limited operation began.
ENDS = {"logout", "end_my_session", "end_my_sessions"}


@pytest.fixture
def limited(node: OpenNode) -> Stage:
    return node(account_limit=f"{LIMIT} per year")


def renames(caller: Caller, address: str) -> Any:
    return caller.client.patch(
        "/v1/me",
        json={"display_name": address},
        headers=caller.headers,
        environ_base={"REMOTE_ADDR": address},
    )


def refreshes(caller: Caller, address: str) -> Any:
    answer = caller.client.post(
        "/v1/auth/refresh",
        json={"refresh_token": caller.tokens["refresh_token"]},
        environ_base={"REMOTE_ADDR": address},
    )
    if answer.status_code == 200:
        caller.tokens = answer.json
    return answer


def activates(caller: Caller, address: str) -> Any:
    body = {"duration": 600, "reason": address}
    return caller.client.put(
        "/v1/me/activations/auditor", json=body, headers=caller.headers, environ_base={"REMOTE_ADDR": address}
    )


def drops(caller: Caller, address: str) -> Any:
    return caller.client.delete(
        "/v1/me/activations/auditor", headers=caller.headers, environ_base={"REMOTE_ADDR": address}
    )


@pytest.mark.parametrize("act", [renames, refreshes, activates, drops])
def test_however_many_addresses_an_account_comes_from_it_is_one(
    limited: Stage, act: Callable[[Caller, str], Any]
) -> None:
    limited.as_(ALICE).put(f"/v1/users/{limited.user_id(DAVE)}/roles/auditor", json={"mode": "eligible"})
    dave, bob = limited.as_(DAVE), limited.as_(BOB)
    answers = [act(dave, f"192.0.2.{number}") for number in range(LIMIT)]
    before = len(limited.events())

    refused = [act(dave, f"198.51.100.{number}") for number in range(20)]

    assert 429 not in {answer.status_code for answer in answers}
    assert {answer.status_code for answer in refused} == {429}
    assert refused[0].json["violated-policies"] == ["account"]
    assert "account" in refused[0].headers["RateLimit-Policy"]
    assert len(limited.events()) == before
    assert renames(bob, "192.0.2.1").status_code == 200, "another account"


def test_another_session_is_the_same_account_and_leaving_is_always_possible(limited: Stage) -> None:
    first, second = limited.as_(DAVE), limited.as_(DAVE)
    for _ in range(LIMIT):
        renames(first, "192.0.2.1")

    assert renames(second, "192.0.2.2").status_code == 429
    assert first.get("/v1/me").status_code == 200
    assert [caller.post("/v1/auth/logout").status_code for caller in (first, second)] == [204, 204]


def test_the_second_limit_of_an_operation_is_told_once_it_is_exceeded(limited: Stage) -> None:
    dave = limited.as_(DAVE)
    answers = [refreshes(dave, "192.0.2.1") for _ in range(LIMIT + 1)]

    told = [
        [part.split(";")[0].strip() for part in answer.headers["RateLimit-Policy"].split(",")]
        for answer in answers
    ]
    assert told == [['"token"']] * LIMIT + [['"token"', '"account"']]
    assert '"account";r=0;' in answers[-1].headers["RateLimit"]


def test_whatever_writes_without_a_permission_is_limited(stage: Stage) -> None:
    loose = {
        found.id
        for found in operations(stage.app)
        if found.writes
        and not found.asks
        and not found.permission
        and "429" not in found.described["responses"]
    }

    assert loose <= ENDS
