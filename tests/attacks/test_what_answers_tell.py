"""No answer tells a caller about things that the caller may not read: neither whether they exist, nor who they concern.

Which operations there are the OpenAPI document says: each that names a thing in its path is asked about one that exists and one that does
not, by callers without its permission.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from rbac_api.guard.enforcement.clearance import Clearance
from tests.attacks.paths import BREACHES, FIRST
from tests.attacks.targets import UNKNOWN, Answer, Target, bearing, shoot
from tests.builders import Caller, Stage
from tests.capabilities.constraints.rules import make_roles
from tests.cast import ALICE, BOB, CAROL, DAVE
from tests.contract.operations import Operation, operations

UNREAD = frozenset({"users:read", "sessions:read"})
BREACHES_BY_OTHERS = sorted(breach for breach in BREACHES if breach[0] not in ("login", "activate_role"))


def carol_with(stage: Stage, permissions: set[str]) -> Caller:
    """Carol, who holds these and no others."""
    alice, carol = stage.as_(ALICE), f"/v1/users/{stage.user_id(CAROL)}/roles"
    made = alice.post("/v1/roles", json={"name": "some", "permissions": sorted(permissions)})
    assert made.status_code == 201, made.text
    assert alice.put(f"{carol}/some").status_code == 201
    assert alice.delete(f"{carol}/auditor").status_code == 204
    return stage.as_(CAROL)


def all_permissions(stage: Stage) -> set[str]:
    return {name for (name,) in stage.query("SELECT name FROM permissions WHERE valid_to IS NULL")}


@pytest.mark.parametrize("breach", BREACHES_BY_OTHERS, ids="-".join)
def test_what_breaks_a_constraint_names_users_only_to_who_may_read_them(
    stage: Stage, breach: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    counter, act = BREACHES[breach](stage)
    assert counter.send().status_code < 300
    dave = stage.user_id(DAVE)
    carol = carol_with(stage, all_permissions(stage) - UNREAD)

    told = act.send()
    untold = replace(act, caller=carol).send()

    assert (told.status_code, untold.status_code) == (409, 409), untold.text
    assert named_in(untold) == [None] * len(named_in(told))
    assert not {"dave", "invoice-robot", dave} & set(words_of(untold.json))
    if breach[1] != "max-holders":
        assert told.json["violations"][0]["user"]["username"] in told.json["detail"]
    monkeypatch.setattr(Clearance, "may_name", lambda *_: True)
    monkeypatch.setattr(Clearance, "nameable_users", lambda _, ids: ids)
    assert named_in(replace(act, caller=carol).send()) == named_in(told), "the twin"


def named_in(answer: Any) -> list[Any]:
    return [one["user"] for one in answer.json["violations"]]


def bare(key: str) -> str:
    """An id as both engines take it."""
    return key.replace("-", "")


def words_of(value: Any) -> Iterator[str]:
    """Every word of every text of an answer, but for the request's own address."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from words_of(inner) if key != "instance" else ()
    elif isinstance(value, list):
        for inner in value:
            yield from words_of(inner)
    elif isinstance(value, str):
        yield from value.replace(",", " ").split()


def test_what_is_broken_already_names_users_only_to_who_may_read_them(stage: Stage) -> None:
    _, act = BREACHES["create_constraint", "static"](stage)
    assert act.send().status_code == 201
    columns, dave = "user_id, valid_from, assigned_by, assigned_at, mode", bare(stage.user_id(DAVE))
    stage.execute(
        f"INSERT INTO assignments (id, role_id, {columns}) SELECT '{bare(UNKNOWN)}',"
        f" (SELECT id FROM roles WHERE name = '{FIRST}'), {columns} FROM assignments WHERE user_id = '{dave}'"
    )
    carol = carol_with(stage, all_permissions(stage) - UNREAD)
    path = "/v1/constraints/rule/violations"

    [known] = stage.as_(ALICE).get(path).json["items"]
    [unknown] = carol.get(path).json["items"]

    assert known["user"]["username"] == "dave"
    assert unknown == {**known, "user": None, "from": unknown["from"]}


def test_a_plan_tells_neither_who_holds_a_role_nor_how_many_sessions_they_have(stage: Stage) -> None:
    make_roles(stage.as_(ALICE), "clerk")
    assert stage.as_(ALICE).put(f"/v1/users/{stage.user_id(DAVE)}/roles/clerk").status_code == 201
    stage.as_(DAVE)
    payer = {"name": "payer", "permissions": ["payments:release"]}
    document = {"roles": [payer, {"name": "clerk", "inherits": ["payer"]}]}
    planned = stage.as_(ALICE).post("/v1/policy/plan", json=document).json
    carol = carol_with(stage, all_permissions(stage) - UNREAD)

    answer = carol.post("/v1/policy/plan", json=document)

    assert planned["sessions_stale"] == 1
    assert [one["user"]["username"] for one in planned["gains"]] == ["dave"]
    assert answer.json["sessions_stale"] is None
    assert answer.json["gains"] == [{**planned["gains"][0], "user": None}]
    assert "dave" not in set(words_of(answer.json))


def test_a_plan_names_the_caller_to_herself(stage: Stage) -> None:
    carol = carol_with(stage, all_permissions(stage) - UNREAD)
    document = {"roles": [{"name": "some", "permissions": ["policy:plan", "roles:update"]}]}

    [lost] = carol.post("/v1/policy/plan", json=document).json["losses"]

    assert lost["user"]["username"] == "carol"


# -- existence ----------------------------------------------------------------------------------------------------------------------

NEVER = {
    "user_id": "never-there",
    "account_id": "never-there",
    "role": "never-there",
    "junior": "never-there",
    "permission": "never:there",
    "domain": "never-there",
    "constraint": "never-there",
    "kid": "never-there",
    "seq": "999999",
}
FOR_EVERYBODY = {"get_problem"}


def asked_about_things(stage: Stage) -> list[Operation]:
    """The operations that name something in their path."""
    return [one for one in operations(stage.app) if one.parameters and one.id not in FOR_EVERYBODY]


def things(stage: Stage) -> dict[str, list[str]]:
    """What exists, by the name of the path parameter; nothing of it is the callers' own."""
    alice, bob = stage.as_(ALICE), stage.as_(BOB)
    account = alice.post("/v1/service-accounts", json={"name": "robot"}).json["id"]
    secret = alice.post(f"/v1/service-accounts/{account}/secrets").json["id"]
    rule = {"name": "rule", "kind": "max-holders", "roles": ["auditor"], "limit": 9}
    assert alice.post("/v1/constraints", json=rule).status_code == 201
    assert (
        alice.post("/v1/roles", json={"name": "spare", "permissions": ["invoices:read"]}).status_code == 201
    )
    assert alice.post("/v1/domains", json={"name": "acme"}).status_code == 201
    alice.put(f"/v1/users/{stage.user_id(BOB)}/roles/spare", json={"mode": "eligible", "max_duration": 600})
    [session] = bob.get("/v1/me/sessions").json["items"]
    moment = "2026-11-01 00:00:00.000000"
    stage.execute(
        f"INSERT INTO incidents (id, type, subject, opened_at, occurrences, other_at) VALUES ('{bare(UNKNOWN)[:-1]}0',"
        f" 'session.token_reused', '{session['id']}', '{moment}', 1, '{moment}')"
    )
    return {
        "user_id": [stage.user_id(BOB), "bob", "mallory"],
        "account_id": [account, "robot"],
        "secret_id": [secret],
        "role": ["auditor", "spare", "role-manager", "admin"],
        "junior": ["auditor", "spare"],
        "permission": ["invoices:read", "payments:release"],
        "constraint": ["rule"],
        "domain": ["acme"],
        "session_id": [session["id"]],
        "decision_id": [bob.get("/v1/keys").json["decision_id"]],
        "incident_id": [f"{UNKNOWN[:-1]}0"],
        "seq": ["1", "2"],
        "kid": [key["kid"] for key in alice.get("/v1/keys").json["items"]],
    }


def ask(stage: Stage, caller: Caller, operation: Operation, named: dict[str, str]) -> Answer:
    """The answer without the names that were asked about."""
    target = Target("", operation.method, operation.at(named), 0, operation.example())
    answer = shoot(stage, target, {**bearing(caller.tokens["access_token"]), "HTTP_IF_MATCH": '"0"'})
    told = json.dumps(answer.body) if not isinstance(answer.body, bytes) else answer.body.decode()
    for name, value in named.items():
        told = told.replace(value, f"{{{name}}}")
    return replace(answer, body=told)


def differences(
    stage: Stage, caller: Caller, found: list[Operation], there: dict[str, list[str]]
) -> list[Any]:
    """Where something that exists is answered otherwise than something that does not."""
    wrong = []
    for operation in found:
        absent = {name: NEVER.get(name, UNKNOWN) for name in operation.parameters}
        expected = ask(stage, caller, operation, absent)
        for values in product(*(there[name] for name in operation.parameters)):
            answer = ask(stage, caller, operation, dict(zip(operation.parameters, values, strict=True)))
            if answer != expected:
                wrong.append((operation.id, values, answer, expected))
    return wrong


def test_who_holds_nothing_cannot_tell_what_exists(stage: Stage) -> None:
    there, found = things(stage), asked_about_things(stage)

    assert set(there) == {name for operation in found for name in operation.parameters}
    assert differences(stage, stage.as_(DAVE), found, there) == []


def test_nor_can_who_holds_everything_but_what_the_operation_asks_for(stage: Stage) -> None:
    there, found = things(stage), asked_about_things(stage)
    everything = all_permissions(stage)
    carol = carol_with(stage, everything)
    wrong = []
    for permission in sorted({str(one.permission) for one in found if one.permission}):
        assert stage.as_(ALICE).delete(f"/v1/roles/some/permissions/{permission}").status_code == 204
        asking = [one for one in found if one.permission == permission]
        wrong += differences(stage, carol, asking, there)
        assert stage.as_(ALICE).put(f"/v1/roles/some/permissions/{permission}").status_code == 201

    assert wrong == []


def test_who_reads_sessions_but_no_users_cannot_tell_who_exists(stage: Stage) -> None:
    """Mallory has no session, as a user who is not there."""
    carol = carol_with(stage, {"sessions:read"})
    [there] = [one for one in asked_about_things(stage) if one.id == "list_user_sessions"]

    alike = ["mallory", stage.user_id("mallory"), "never-there", UNKNOWN]
    answers = {ask(stage, carol, there, {"user_id": name}) for name in alike}
    listed = {str(carol.get(f"/v1/sessions?user={name}").json) for name in alike}

    assert {answer.status for answer in answers} == {200}
    assert (len(answers), len(listed)) == (1, 1)
    assert len(carol.get("/v1/users/carol/sessions").json["items"]) == 1
    assert stage.as_(ALICE).get("/v1/users/never-there/sessions").status_code == 404


def test_to_who_may_ask_each_answer_depends_on_what_is_there(stage: Stage) -> None:
    """The vulnerable twin: without the guard the comparison finds a difference at every operation that reads."""
    there, found = things(stage), [one for one in asked_about_things(stage) if one.method == "GET"]
    found = [one for one in found if one.permission and not one.path.endswith("/access")]

    wrong = differences(stage, stage.as_(ALICE), found, there)

    assert {operation for operation, *_ in wrong} == {one.id for one in found}


@pytest.mark.parametrize(
    "query", ["user={user_id}", "role={role}", "user={user_id}&from=2026-01-01T00:00:00Z"]
)
def test_nor_does_a_question_in_the_query_tell(stage: Stage, query: str) -> None:
    there, dave = things(stage), stage.as_(DAVE)
    name = "user_id" if "user_id" in query else "role"

    def told(value: str) -> tuple[int, str, str]:
        answer = dave.get(f"/v1/access/diff?{query.format(**{name: value})}")
        return answer.status_code, answer.json["code"], answer.json["detail"].replace(value, "")

    assert {told(value) for value in (*there[name], NEVER[name])} == {told(NEVER[name])}
