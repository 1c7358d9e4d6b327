"""Making, reading and removing constraints: names, numbers, who may, and what is broken already."""

import json
from typing import Any

import pytest

from tests.builders import Caller, Stage
from tests.capabilities.constraints.rules import (
    CONSTRAINTS,
    PAIR,
    constrain,
    give,
    in_days,
    inherit,
    keep_apart,
    make_roles,
    refused,
    take,
    write_assignments,
    write_people,
)
from tests.cast import ALICE, BOB, CAROL, DAVE, MALLORY


@pytest.fixture
def alice(stage: Stage) -> Caller:
    """Alice, who has made a few roles."""
    found = stage.as_(ALICE)
    make_roles(found, *PAIR, "auditing")
    return found


def test_alice_makes_reads_and_removes_a_constraint(stage: Stage, alice: Caller) -> None:
    answer = constrain(alice, "static", *PAIR, limit=2)

    assert (answer.status_code, answer.headers["Location"]) == (201, f"{CONSTRAINTS}/rule")
    assert answer.json == alice.get(f"{CONSTRAINTS}/rule").json
    facts = {"name": "rule", "kind": "static", "roles": list(PAIR), "limit": 2}
    assert {key: answer.json[key] for key in facts} == facts
    assert alice.get(CONSTRAINTS).json == {"items": [answer.json], "next": None}
    assert alice.delete(f"{CONSTRAINTS}/rule").status_code == 204
    assert alice.get(f"{CONSTRAINTS}/rule").json["code"] == "constraint.not_found"
    (made,), (ended,) = (stage.events(f"constraint.{what}") for what in ("created", "deleted"))
    assert json.loads(made["after"]) == json.loads(ended["before"]) == facts
    assert (made["target_type"], made["target_name"]) == ("constraint", "rule")


def test_it_binds_until_it_is_removed_and_its_name_is_free_again(stage: Stage, alice: Caller) -> None:
    keep_apart(alice, *PAIR)
    give(alice, DAVE, PAIR[0])
    assert refused(give(alice, DAVE, PAIR[1])) == [("dave", list(PAIR))]

    alice.delete(f"{CONSTRAINTS}/rule")

    assert give(alice, DAVE, PAIR[1]).status_code == 201
    assert constrain(alice, "max-holders", "auditing", limit=1).status_code == 201


def test_lists_are_paged_by_name(stage: Stage, alice: Caller) -> None:
    for name in ("r-c", "r-a", "r-b"):
        constrain(alice, "max-holders", PAIR[0], limit=9, name=name)

    first = alice.get(f"{CONSTRAINTS}?limit=2&count=true").json

    assert [item["name"] for item in first["items"]] == ["r-a", "r-b"]
    assert first["total"] == 3
    rest = alice.get(f"{CONSTRAINTS}?limit=2&count=true&cursor={first['next']}").json
    assert [item["name"] for item in rest["items"]] == ["r-c"]


SENSELESS: dict[str, tuple[dict[str, Any], str, str]] = {
    "static about one role": ({"kind": "static", "roles": ["approver"], "limit": 2}, "/roles", "roles.too_few"),
    "a limit of one": ({"kind": "static", "roles": PAIR, "limit": 1}, "/limit", "limit.invalid"),
    "more than there are": ({"kind": "dynamic", "roles": PAIR, "limit": 3}, "/limit", "limit.invalid"),
    "static without a limit": ({"kind": "static", "roles": PAIR}, "/limit", "limit.invalid"),
    "max-holders without one": ({"kind": "max-holders", "roles": PAIR, "limit": None}, "/limit", "limit.invalid"),
    "requires about one role": ({"kind": "requires", "roles": ["approver"]}, "/roles", "roles.too_few"),
    "a limit of nobody": ({"kind": "max-holders", "roles": PAIR, "limit": 0}, "/limit", "field.invalid"),
    "half a limit": ({"kind": "static", "roles": PAIR, "limit": 2.0}, "/limit", "field.fraction"),
    "a role twice": ({"kind": "static", "roles": ["approver"] * 2, "limit": 2}, "/roles", "field.invalid"),
    "no role": ({"kind": "max-holders", "roles": [], "limit": 1}, "/roles", "field.invalid"),
    "a hundred and one": ({"kind": "static", "roles": [f"r{n}" for n in range(101)], "limit": 2}, "/roles", "field.invalid"),
    "another kind": ({"kind": "sometimes", "roles": PAIR, "limit": 2}, "/kind", "field.invalid"),
    "a name of two words": ({"name": "A rule", "kind": "static", "roles": PAIR, "limit": 2}, "/name", "field.invalid"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "pointer", "code"), SENSELESS.values(), ids=SENSELESS)
def test_what_makes_no_sense_is_named(
    stage: Stage, alice: Caller, body: dict[str, Any], pointer: str, code: str
) -> None:
    answer = alice.post(CONSTRAINTS, json={"name": "rule", **body, "roles": list(body["roles"])})

    assert answer.status_code == 422, answer.json
    assert {(fault["pointer"], fault["code"]) for fault in answer.json["errors"]} == {(pointer, code)}
    assert alice.get(CONSTRAINTS).json["items"] == []


def test_a_limit_says_nothing_of_a_role_that_requires_another(stage: Stage, alice: Caller) -> None:
    made = constrain(alice, "requires", *PAIR, limit=2)

    assert (made.status_code, made.json["limit"]) == (201, None)


def test_unknown_roles_and_names_in_use_are_told_apart(stage: Stage, alice: Caller) -> None:
    keep_apart(alice, *PAIR)

    unknown = constrain(alice, "static", PAIR[0], "nobodys", limit=2, name="other")
    taken = constrain(alice, "static", *PAIR, limit=2)

    assert (unknown.status_code, unknown.json["code"]) == (404, "role.not_found")
    assert "nobodys" in unknown.json["detail"]
    assert (taken.status_code, taken.json["code"]) == (409, "constraint.name_taken")
    for method, path in (("GET", "other"), ("DELETE", "other"), ("GET", "other/violations")):
        assert alice.call(method, f"{CONSTRAINTS}/{path}").json["code"] == "constraint.not_found"


def test_a_repeated_post_with_its_key_makes_one(stage: Stage, alice: Caller) -> None:
    body = {"name": "rule", "kind": "static", "roles": list(PAIR), "limit": 2}

    answers = [alice.post(CONSTRAINTS, json=body, headers={"Idempotency-Key": "k1"}) for _ in range(2)]

    assert [(answer.status_code, answer.json) for answer in answers] == [(201, answers[0].json)] * 2
    assert len(stage.events("constraint.created")) == 1


def test_who_does_not_hold_what_the_roles_hold_neither_makes_nor_removes_one(
    stage: Stage, alice: Caller
) -> None:
    steward = ["constraints:read", "constraints:create", "constraints:delete"]
    alice.post("/v1/roles", json={"name": "steward", "permissions": steward})
    alice.put(f"/v1/roles/{PAIR[1]}/permissions/payments:release")
    give(alice, DAVE, "steward")
    dave = stage.as_(DAVE)

    refusals = [constrain(dave, "static", *PAIR, limit=2)]
    keep_apart(alice, *PAIR)
    refusals.append(dave.delete(f"{CONSTRAINTS}/rule"))

    assert {(answer.status_code, answer.json["code"]) for answer in refusals} == {(403, "escalation.denied")}
    assert {tuple(answer.json["missing"]) for answer in refusals} == {("payments:release",)}
    assert constrain(dave, "static", PAIR[0], "auditing", limit=2, name="own").status_code == 201
    assert dave.delete(f"{CONSTRAINTS}/own").status_code == 204
    assert stage.as_(CAROL).get(CONSTRAINTS).status_code == 200
    assert stage.as_(BOB).get(CONSTRAINTS).status_code == 403


BROKEN: dict[str, tuple[str, tuple[str, ...], int | None, list[tuple[str | None, list[str]]]]] = {
    "static": ("static", PAIR, 2, [("dave", list(PAIR))]),
    "requires": ("requires", ("approver", "auditing"), None, [("dave", ["approver", "auditing"])]),
    "max-holders": ("max-holders", ("releaser",), 1, [(None, ["releaser"])]),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_one_that_is_broken_already_is_not_made_and_says_by_whom(
    stage: Stage, alice: Caller, broken: Any
) -> None:
    kind, roles, limit, who = broken
    give(alice, DAVE, "approver")
    give(alice, DAVE, "releaser", starts_at=in_days(3), expires_at=in_days(5), mode="eligible")
    give(alice, MALLORY, "releaser")  # disabled, and counts

    answer = constrain(alice, kind, *roles, limit=limit)

    assert refused(answer) == who
    assert alice.get(CONSTRAINTS).json["items"] == []
    assert stage.events("constraint.created") == []
    assert take(alice, DAVE, "releaser").status_code == 204
    assert take(alice, DAVE, "approver").status_code == 204
    assert constrain(alice, kind, *roles, limit=limit).status_code == 201


def test_a_dynamic_one_asks_only_what_is_active_in_sessions_that_live(stage: Stage, alice: Caller) -> None:
    for role in PAIR:
        give(alice, DAVE, role)
    assert constrain(alice, "dynamic", *PAIR, limit=2).status_code == 201, "nobody is signed in with both"
    assert alice.delete(f"{CONSTRAINTS}/rule").status_code == 204
    dave = stage.as_(DAVE)

    assert refused(constrain(alice, "dynamic", *PAIR, limit=2)) == [("dave", list(PAIR))]

    dave.post("/v1/auth/logout")
    assert constrain(alice, "dynamic", *PAIR, limit=2).status_code == 201
    assert stage.as_(DAVE).get("/v1/me").json["roles"] == [], "neither, until he chooses"


def test_roles_that_inherit_count_when_it_is_made(stage: Stage, alice: Caller) -> None:
    make_roles(alice, "chief")
    for role in PAIR:
        inherit(alice, "chief", role)
    assert constrain(alice, "static", *PAIR, limit=2, name="early").status_code == 201, "nobody holds it"
    assert refused(give(alice, DAVE, "chief")) == [("dave", list(PAIR))]
    alice.delete(f"{CONSTRAINTS}/early")
    give(alice, DAVE, "chief")

    assert refused(constrain(alice, "static", *PAIR, limit=2)) == [("dave", list(PAIR))]


def test_at_most_fifty_are_listed_and_all_are_counted(stage: Stage, alice: Caller) -> None:
    write_people(stage, 71)
    for role in PAIR:
        write_assignments(stage, role)

    answer = constrain(alice, "static", *PAIR, limit=2)

    assert (len(refused(answer)), answer.json["count"]) == (50, 71)
