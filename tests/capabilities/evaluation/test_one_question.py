"""One question at a time: AuthZEN Authorization API 1.0, sections 5, 6 and 10."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from rbac_api import clock
from tests.builders import Caller, Stage
from tests.capabilities.evaluation.asking import (
    JSON,
    NOTHING_GRANTS,
    ONE,
    YES,
    app_on,
    ask,
    question,
    refusal,
    user,
)
from tests.capabilities.oauth.robot import make_robot
from tests.capabilities.signin.cookie_jar import tab_of
from tests.cast import ALICE, BOB, CAROL, DAVE, MALLORY
from tests.web.test_bodies import INVALID, OTHER_TYPES, UNREADABLE

GOOD = question("bob", "invoices:read")
MISSING = object()
REQUIRED = (
    "subject",
    "action",
    "resource",
    "subject.type",
    "subject.id",
    "action.name",
    "resource.type",
    "resource.id",
)


@pytest.fixture
def app(stage: Stage) -> Caller:
    return app_on(stage)


def test_bob_may_read_invoices_and_may_not_release_payments(app: Caller) -> None:
    assert ask(app, ONE, GOOD) == YES
    assert ask(app, ONE, question("bob", "payments:release")) == NOTHING_GRANTS


def test_a_user_is_named_by_id_or_by_name_in_any_spelling(stage: Stage, app: Caller) -> None:
    bob = stage.user_id(BOB)

    for name in (bob, bob.upper(), "bob", "BOB", " bob ", "ｂｏｂ"):
        assert ask(app, ONE, {**GOOD, "subject": user(name)}) == YES, name


def test_whoever_is_unknown_is_answered_like_dave_who_holds_nothing(stage: Stage, app: Caller) -> None:
    nobody = [
        "nobody",
        "",
        "b\u00f6b",
        "x" * 60_000,
        stage.settings.issuer_url,
        "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57",
    ]

    answers = [ask(app, ONE, {**GOOD, "subject": user(name)}) for name in ["dave", *nobody]]

    assert answers == [NOTHING_GRANTS] * 7
    deleted = stage.user_id(DAVE)
    stage.as_(ALICE).delete_now(f"/v1/users/{deleted}")
    assert ask(app, ONE, {**GOOD, "subject": user(deleted)}) == NOTHING_GRANTS


def test_a_service_account_is_named_by_its_id_and_is_no_user(stage: Stage, app: Caller) -> None:
    robot = make_robot(stage, "role-manager")

    found = [
        ask(app, ONE, {**GOOD, "subject": {"type": kind, "id": name}})["decision"]
        for kind in ("service-account", "user", "group", "User")
        for name in (robot.id, robot.name, stage.user_id(BOB))
    ]

    assert found == [True, False, False, False, False, True, *[False] * 6]


def test_a_role_that_asks_for_a_second_factor_counts_for_people_and_for_no_program(
    stage: Stage, app: Caller
) -> None:
    robot = make_robot(stage, "role-manager")
    assert stage.as_(ALICE).patch_now("/v1/roles/role-manager", {"requires_mfa": True}).status_code == 200

    for subject, allowed in ((user("bob"), True), ({"type": "service-account", "id": robot.id}, False)):
        assert ask(app, ONE, {**GOOD, "subject": subject})["decision"] is allowed


@pytest.mark.parametrize(
    ("resource", "action"),
    [("invoices", "burn"), ("", ""), ("invoices:read", ""), ("", "invoices:read"), ("a:b", "c"), ("x" * 500, "y"), ("invoices", "read ")],
)  # fmt: skip
def test_what_no_permission_is_called_nobody_may_do(app: Caller, resource: str, action: str) -> None:
    body = {"subject": user("alice"), "action": {"name": action}, "resource": {"type": resource, "id": "1"}}

    assert ask(app, ONE, body) == NOTHING_GRANTS


def test_a_no_says_why_and_names_no_role(stage: Stage, app: Caller) -> None:
    alice, dave = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}"
    assert alice.put(f"{dave}/roles/role-manager", json={"mode": "eligible"}).status_code == 201

    eligible = ask(app, ONE, question("dave", "invoices:read"))
    disabled = ask(app, ONE, question("mallory", "invoices:read"))

    assert [reason["code"] for reason in eligible["context"]["reasons"]] == ["not-active", "nothing-grants"]
    assert [reason["code"] for reason in disabled["context"]["reasons"]] == ["disabled"]
    assert "role-manager" not in str(eligible)
    assert MALLORY.username not in str(disabled)


def test_it_is_answered_as_in_a_session_with_a_second_factor(stage: Stage, app: Caller) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "vault", "permissions": ["payments:release"], "requires_mfa": True})
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/vault")

    assert stage.as_(DAVE).get("/v1/me").json["permissions"] == []
    assert ask(app, ONE, question("dave", "payments:release")) == {**YES, "context": {"second_factor": True}}


def test_what_is_taken_away_is_denied_at_once(stage: Stage, app: Caller) -> None:
    alice, dave = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}/roles/role-manager"
    asked = question("dave", "invoices:read")
    expected = []
    for change, allowed in ((alice.put, True), (alice.delete, False), (alice.put, True)):
        change(dave)
        expected.append(ask(app, ONE, asked)["decision"] is allowed)
    alice.delete("/v1/roles/role-manager/permissions/invoices:read")

    assert expected == [True] * 3
    assert ask(app, ONE, asked) == NOTHING_GRANTS


def test_what_expires_is_denied_from_that_moment_on(stage: Stage, app: Caller) -> None:
    later = (clock.now() + timedelta(minutes=5)).isoformat()
    stage.as_(ALICE).put(f"/v1/users/{stage.user_id(DAVE)}/roles/role-manager", json={"expires_at": later})
    asked = question("dave", "invoices:read")

    assert ask(app, ONE, asked) == YES
    with time_machine.travel(clock.now() + timedelta(minutes=5), tick=False):
        assert ask(app, ONE, asked)["decision"] is False


@pytest.mark.parametrize(
    "more",
    [
        {"context": {}}, {"context": {"time": "2026-11-22T17:00-07:00", "ip": ["192.0.2.1", None, 1.5, {"a": True}]}},
        {"foo": "bar", "futureField": {"nested": True}}, {"options": {"evaluations_semantic": "whatever"}}, {"evaluations": "ignored"},
        {"subject": {**user("bob"), "properties": {"department": "Sales"}, "more": 1}},
        {"action": {"name": "read", "properties": {"method": "GET"}, "id": 1}},
        {"resource": {"type": "invoices", "id": "", "properties": {"status": "active"}, "name": None}},
    ],
)  # fmt: skip
def test_what_is_optional_or_unknown_changes_nothing(app: Caller, more: dict[str, Any]) -> None:
    assert ask(app, ONE, {**GOOD, **more}) == YES


def with_member(member: str, value: Any) -> dict[str, Any]:
    """The question with a member, or one inside of it, replaced; MISSING takes it away."""
    body: dict[str, Any] = json.loads(json.dumps(GOOD))
    *path, last = member.split(".")
    place = body[path[0]] if path else body
    place[last] = value
    if value is MISSING:
        del place[last]
    return body


@pytest.mark.parametrize("member", REQUIRED)
def test_a_required_member_that_is_missing_or_of_another_type_is_400(app: Caller, member: str) -> None:
    for value in (MISSING, None, 1, True, [], ["x"], 1.5, {}):
        sentence = refusal(app.post(ONE, json=with_member(member, value)))
        assert sentence.startswith(f"The member {member}"), value


def test_an_optional_member_of_another_type_is_400(app: Caller) -> None:
    for member in ("context", "subject.properties", "action.properties", "resource.properties"):
        for value in (None, 1, "x", []):
            sentence = refusal(app.post(ONE, json=with_member(member, value)))
            assert sentence == f"The member {member} is not an object."


def test_what_cannot_be_read_or_is_ambiguous_is_400(app: Caller) -> None:
    bodies = {**UNREADABLE, **INVALID, "nothing": b""}
    bodies["duplicate keys"] = json.dumps(GOOD)[:-1].encode() + b', "action": {"name": "burn"}}'
    bodies["deep nesting"] = b'{"context": {"a": ' + b"[" * 40 + b"]" * 40 + b"}}"

    for data in bodies.values():
        assert refusal(app.post(ONE, data=data, content_type=JSON))


def test_another_media_type_is_400_and_not_415(app: Caller) -> None:
    for kind in (*OTHER_TYPES, None):
        assert "application/json" in refusal(app.post(ONE, data=json.dumps(GOOD), content_type=kind))
    for kind in ("application/json; charset=utf-8", "Application/JSON"):
        assert app.post(ONE, data=json.dumps(GOOD), content_type=kind).json == YES


def test_a_nul_is_told_where_it_is(app: Caller) -> None:
    assert refusal(app.post(ONE, data=b'{"a": ["\\u0000"]}', content_type=JSON)).startswith("/a/0: NUL")
    assert refusal(app.post(ONE, data=b'"\\u0000"', content_type=JSON)).startswith("The body: NUL")


def test_errors_of_every_layer_have_one_form(app: Caller) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        refused = app.call(method, ONE)
        assert refusal(refused, 405)
        assert refused.headers["Allow"] == "OPTIONS, POST"
    assert refusal(app.post(f"{ONE}?a=1", json=GOOD))
    assert refusal(app.post("/access/v1/search/place", json=GOOD), 404)
    assert refusal(app.post(ONE, json={**GOOD, "context": {"a": "x" * 70_000}}), 413)


def test_a_missing_table_is_told_in_the_same_form(stage: Stage, app: Caller) -> None:
    stage.execute("ALTER TABLE assignments RENAME TO elsewhere")
    try:
        refused = app.post(ONE, json=GOOD)
    finally:
        stage.execute("ALTER TABLE elsewhere RENAME TO assignments")

    assert refusal(refused, 503)
    assert int(refused.headers["Retry-After"]) >= 1


def test_an_unexpected_failure_is_told_in_the_same_form(
    stage: Stage, app: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.guard.snapshot, "people", None)
    monkeypatch.setitem(stage.app.config, "PROPAGATE_EXCEPTIONS", False)

    failed = app.client.post(ONE, json=GOOD, headers=app.headers)

    assert "request_id" in refusal(failed, 500)
    assert "people" not in failed.text


def test_a_stranger_is_challenged(stage: Stage) -> None:
    caller = stage.caller()

    missing = caller.post(ONE, json=GOOD)
    wrong = caller.post(ONE, json=GOOD, headers={"Authorization": "Bearer x.y.z"})

    assert refusal(missing, 401)
    assert missing.headers["WWW-Authenticate"] == 'Bearer realm="rbac-api"'
    assert refusal(wrong, 401)
    assert 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]


@pytest.mark.parametrize("person", [BOB, CAROL, DAVE])
def test_whoever_may_not_ask_learns_nothing_and_is_recorded(stage: Stage, person: Any) -> None:
    refused = [stage.as_(person).post(ONE, json=body) for body in (GOOD, question("dave", "a:b"), {}, [])]

    sentences = {refusal(answer, 403).partition(" (decision_id")[0] for answer in refused}

    assert len(sentences) == 1
    assert "access:evaluate" in sentences.pop()
    assert all('scope="access:evaluate"' in answer.headers["WWW-Authenticate"] for answer in refused)
    assert len(stage.events("access.refused")) == 1, "one account and one cause: the others are counted"


def test_a_cookie_alone_asks_nothing(stage: Stage) -> None:
    tab = tab_of(stage, ALICE)

    assert tab.post(ONE, json=GOOD).json == YES
    tab.csrf = None
    assert "X-CSRF-TOKEN" in refusal(tab.post(ONE, json=GOOD), 403)


@pytest.mark.parametrize("sent", ["bfe9eb29-ab87-4ca3-be83-a1d5d8305716", "req 7/3:{x}", "~", "x" * 200])
def test_the_name_of_a_request_comes_back_whatever_it_looks_like(stage: Stage, sent: str) -> None:
    app, headers = app_on(stage), {"X-Request-ID": sent}

    answers = [app.post(ONE, json=body, headers=headers) for body in (GOOD, {})]
    answers.append(stage.caller().post(ONE, json=GOOD, headers=headers))

    assert [answer.headers.getlist("X-Request-ID") for answer in answers] == [[sent]] * 3
    assert [answer.status_code for answer in answers] == [200, 400, 401]


@pytest.mark.parametrize("sent", ["a\r\nSet-Cookie: x=1", "ü", "x" * 257, "", " a", "a\x00b", "a\tb"])
def test_a_name_that_no_header_can_carry_is_replaced(stage: Stage, sent: str) -> None:
    environ = {"HTTP_X_REQUEST_ID": sent.encode().decode("latin-1")}

    answer = stage.caller().client.post(ONE, environ_overrides=environ)

    assert len(answer.headers["X-Request-ID"]) == 32
    assert "Set-Cookie" not in answer.headers
