"""An assignment counts from its first moment to its last, everywhere at once, without a sweep, and somebody always administrates."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from time_machine import Traveller

from rbac_api import clock
from tests.builders import Caller, OpenNode, Stage
from tests.capabilities.activations.scenes import activate, after, at, begin_with, give, make_role, take
from tests.capabilities.signin.crowd import claims, together
from tests.cast import ALICE, BOB, CAROL, DAVE
from tests.sizes import sized

A_MOMENT = timedelta(milliseconds=1)
ROUNDS = sized(3, 100)


@pytest.fixture
def alice(stage: Stage, frozen: Traveller) -> Caller:
    return stage.as_(ALICE)


def test_dave_reads_until_the_last_millisecond_and_not_at_the_end_at_either_node(
    stage: Stage, node: OpenNode, alice: Caller, frozen: Traveller
) -> None:
    dave, there = stage.as_(DAVE), at(node(), stage.as_(DAVE))
    give(alice, DAVE, "auditor", expires_at=after(300))
    frozen.shift(timedelta(seconds=300) - A_MOMENT)
    statuses = [caller.get("/v1/users").status_code for caller in (dave, there)]

    frozen.shift(A_MOMENT)

    statuses += [caller.get("/v1/users").status_code for caller in (dave, there)]
    assert statuses == [200, 200, 403, 403]
    assert alice.get(f"/v1/users/{stage.user_id(DAVE)}/roles").json == {
        "direct": [],
        "effective": [],
        "permissions": [],
    }


class HastyClock:
    """Each look at the time finds it a tenth of a second later."""

    def __init__(self) -> None:
        self.moment = clock.now()

    def now(self) -> datetime:
        self.moment += timedelta(seconds=0.1)
        return self.moment


@pytest.mark.parametrize("mode", ["active", "eligible"])
def test_what_is_over_before_the_answer_is_answered_all_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    alice, address = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}/roles/auditor"
    hasty = HastyClock()
    monkeypatch.setattr(clock, "now", hasty.now)
    found = set()

    for looks in range(40):
        for before in ("active", None):  # changed from this mode, or given anew
            alice.delete(address)
            if before:
                assert alice.put(address, json={"mode": before}).status_code == 201
            ends = clock.rfc3339(hasty.moment + timedelta(seconds=0.1 * looks + 0.05))
            answer = alice.put(address, json={"mode": mode, "expires_at": ends})
            assert answer.status_code in (200, 201, 422)
            if answer.status_code != 422:
                assert (answer.json["mode"], answer.json["expires_at"]) == (mode, ends)
            found.add(answer.status_code)

    assert found == {200, 201, 422}


def test_dave_reads_from_the_first_millisecond_on_and_not_before_at_either_node(
    stage: Stage, node: OpenNode, alice: Caller, frozen: Traveller
) -> None:
    dave, there = stage.as_(DAVE), at(node(), stage.as_(DAVE))
    give(alice, DAVE, "auditor", starts_at=after(300))
    frozen.shift(timedelta(seconds=300) - A_MOMENT)
    statuses = [caller.get("/v1/users").status_code for caller in (dave, there)]
    assert "the assignment of auditor has not started yet" in dave.get("/v1/users").json["detail"]

    frozen.shift(A_MOMENT)

    assert [caller.get("/v1/users").status_code for caller in (dave, there)] == [200, 200]
    assert statuses == [403, 403]


def test_an_end_brought_forward_counts_at_the_other_node_too(
    stage: Stage, node: OpenNode, alice: Caller, frozen: Traveller
) -> None:
    there = at(node(), stage.as_(DAVE))
    give(alice, DAVE, "auditor", expires_at=after(800))
    assert there.get("/v1/users").status_code == 200

    give(alice, DAVE, "auditor", expires_at=after(10))

    frozen.shift(10)
    assert there.get("/v1/users").status_code == 403


def listed(caller: Caller, path: str) -> list[str]:
    """The usernames on a page of users or of sessions."""
    items = caller.get(path).json["items"]
    return [item.get("username") or item["user"]["username"] for item in items]


def test_only_who_holds_a_role_at_this_moment_is_listed_with_it(
    stage: Stage, alice: Caller, frozen: Traveller
) -> None:
    make_role(alice, "clerk")
    give(alice, BOB, "clerk", expires_at=after(100))
    give(alice, CAROL, "clerk", starts_at=after(100))
    give(alice, DAVE, "clerk", mode="eligible")
    for person in (BOB, CAROL, DAVE):
        stage.as_(person)

    first = listed(alice, "/v1/users?role=clerk"), listed(alice, "/v1/sessions?role=clerk")
    frozen.shift(100)
    second = listed(alice, "/v1/users?role=clerk"), listed(alice, "/v1/sessions?role=clerk")

    assert (first, second) == ((["bob"], ["bob"]), (["carol"], ["carol"]))


def test_a_session_in_which_a_role_was_made_active_is_listed_with_it(stage: Stage, alice: Caller) -> None:
    make_role(alice, "clerk")
    give(alice, DAVE, "clerk", mode="eligible")
    dave = stage.as_(DAVE)
    stage.as_(DAVE)

    activate(dave, "clerk")

    found = alice.get("/v1/sessions?role=clerk").json["items"]
    assert [session["id"] for session in found] == [dave.tokens["session_id"]]
    assert listed(alice, "/v1/users?role=clerk") == []


def test_what_is_eligible_grants_nothing_and_is_shown_as_such(stage: Stage, alice: Caller) -> None:
    give(alice, DAVE, "auditor", mode="eligible")

    shown = alice.get(f"/v1/users/{stage.user_id(DAVE)}/roles").json

    assert ([a["mode"] for a in shown["direct"]], shown["effective"]) == (["eligible"], [])
    dave = stage.as_(DAVE)
    assert (dave.get("/v1/me").json["roles"], dave.get("/v1/me").json["permissions"]) == ([], [])
    assert claims(dave.tokens["access_token"])["roles"] == []
    refused = dave.get("/v1/users")
    assert "auditor must first be activated" in refused.json["detail"]


def test_no_token_outlives_a_role_that_it_carries(stage: Stage, alice: Caller, frozen: Traveller) -> None:
    give(alice, DAVE, "auditor", expires_at=after(100.5))

    dave = stage.as_(DAVE)

    said = claims(dave.tokens["access_token"])
    assert said["roles"] == ["auditor"]
    assert (dave.tokens["expires_in"], said["exp"] - said["iat"]) in {(100, 100), (101, 101)}
    frozen.shift(100.5)
    assert dave.get("/v1/me").json["code"] == "token.expired"
    again = stage.caller().post("/v1/auth/refresh", json={"refresh_token": dave.tokens["refresh_token"]})
    assert claims(again.json["access_token"])["roles"] == []
    assert again.json["expires_in"] == 900


def test_a_token_lives_as_long_as_ever_where_nothing_that_it_carries_ends_before(
    stage: Stage, alice: Caller
) -> None:
    give(alice, DAVE, "auditor", mode="eligible", expires_at=after(100))
    make_role(alice, "clerk")
    give(alice, DAVE, "clerk", starts_at=after(50), expires_at=after(100))

    assert stage.as_(DAVE).tokens["expires_in"] == 900
    give(alice, DAVE, "clerk", starts_at=None)
    assert begin_with(stage, DAVE).tokens["expires_in"] == 900
    assert stage.as_(DAVE).tokens["expires_in"] in (99, 100)


def test_a_token_ends_when_a_beginning_takes_one_of_its_roles_away(
    stage: Stage, alice: Caller, frozen: Traveller
) -> None:
    """Separation of duty: with the other role, neither counts in a session that has not chosen one."""
    make_role(alice, "clerk", "invoices:read")
    body = {"name": "apart", "kind": "dynamic", "roles": ["clerk", "auditor"], "limit": 2}
    assert alice.post("/v1/constraints", json=body).status_code == 201
    give(alice, DAVE, "clerk")
    give(alice, DAVE, "auditor", starts_at=after(100))

    dave = stage.as_(DAVE)

    said = claims(dave.tokens["access_token"])
    assert (said["roles"], dave.tokens["expires_in"] in (99, 100)) == (["clerk"], True)
    frozen.shift(101)
    again = stage.caller().post("/v1/auth/refresh", json={"refresh_token": dave.tokens["refresh_token"]})
    assert (claims(again.json["access_token"])["roles"], again.json["expires_in"]) == ([], 900)


def test_what_ends_within_the_second_is_not_in_the_token_which_lives_on(stage: Stage) -> None:
    tomorrow = clock.now().replace(microsecond=0) + timedelta(days=1)
    with time_machine.travel(tomorrow, tick=False):
        give(stage.as_(ALICE), DAVE, "auditor", expires_at=after(0.999))

        dave = stage.as_(DAVE)

        assert (claims(dave.tokens["access_token"])["roles"], dave.tokens["expires_in"]) == ([], 900)
        assert dave.get("/v1/users").status_code == 200  # as long as it lasts, whatever the token says


def shortened(alice: Caller) -> list[Any]:
    """Every way to have the only administrator cease at some time."""
    return [
        give(alice, ALICE, "admin", expires_at=after(86400 * 365)),
        give(alice, ALICE, "admin", mode="eligible"),
    ]


def test_the_last_administrator_gets_no_end_and_is_not_made_eligible(stage: Stage, alice: Caller) -> None:
    assert {(a.status_code, a.json["code"]) for a in shortened(alice)} == {(409, "admin.last")}


@pytest.mark.parametrize(
    "terms",
    [{"mode": "eligible"}, {"expires_at": 3600}, {"starts_at": 3600, "mode": "eligible"}],
    ids=["eligible", "with an end", "later and eligible"],
)
def test_nor_does_somebody_stand_in_who_does_not_administrate_at_every_moment(
    stage: Stage, alice: Caller, terms: dict[str, Any]
) -> None:
    give(alice, BOB, "admin", **{name: after(v) if name != "mode" else v for name, v in terms.items()})

    assert {a.json["code"] for a in [*shortened(alice), take(alice, ALICE, "admin")]} == {"admin.last"}


def test_an_administrator_may_go_when_the_next_one_comes(
    stage: Stage, alice: Caller, frozen: Traveller
) -> None:
    handover = after(3600)
    give(alice, BOB, "admin", starts_at=handover)

    assert give(alice, ALICE, "admin", expires_at=handover).status_code == 200

    later = give(alice, BOB, "admin", starts_at=after(3601))
    assert (later.status_code, later.json["code"]) == (409, "admin.last")
    assert take(alice, BOB, "admin").json["code"] == "admin.last"
    frozen.shift(3600)
    bob = stage.as_(BOB)
    assert give(bob, BOB, "admin", expires_at=after(60)).json["code"] == "admin.last"


@pytest.mark.soak
def test_of_two_administrators_who_give_each_other_an_end_one_remains(stage: Stage) -> None:
    for _ in range(ROUNDS):
        stage.reset()
        alice = stage.as_(ALICE)
        give(alice, BOB, "admin")
        callers, people, ends = (alice, stage.as_(BOB)), (BOB, ALICE), after(3600)

        def act(number: int, callers: Any = callers, people: Any = people, ends: str = ends) -> int:
            return int(give(callers[number], people[number], "admin", expires_at=ends).status_code)

        assert sorted(together(2, act)) == [200, 409]
