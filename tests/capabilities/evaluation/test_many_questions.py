"""Many questions at once: AuthZEN Authorization API 1.0, section 7."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders import Caller, Stage
from tests.capabilities.evaluation.asking import (
    JSON,
    MANY,
    NOTHING_GRANTS,
    ONE,
    YES,
    app_on,
    ask,
    decisions,
    question,
    refusal,
    user,
)
from tests.web.test_bodies import INVALID, OTHER_TYPES, UNREADABLE

READ, RELEASE = question("bob", "invoices:read"), question("bob", "payments:release")
SINGLE = ("an empty array", "no array")


@pytest.fixture
def app(stage: Stage) -> Caller:
    return app_on(stage)


def failed(member: str, fault: str = "is missing") -> dict[str, Any]:
    error = {"status": 400, "message": f"The member {member} {fault}."}
    return {"decision": False, "context": {"error": error}}


def test_answers_come_in_the_order_of_the_questions_without_a_decision_beside_them(app: Caller) -> None:
    found = ask(app, MANY, {"evaluations": [READ, RELEASE, READ, question("dave", "invoices:read")]})

    assert found == {"evaluations": [YES, NOTHING_GRANTS, YES, NOTHING_GRANTS]}


def test_a_default_holds_for_whatever_has_none_of_its_own(app: Caller) -> None:
    beside = {"subject": user("bob"), "action": {"name": "read"}, "context": {"time": "noon"}}
    resource = {"type": "invoices", "id": "1"}
    items = [
        {"resource": resource},
        {"resource": resource, "subject": user("dave")},
        {"resource": resource, "action": {"name": "approve"}, "context": {"source": "override"}},
        {"resource": {"type": "payments", "id": "1"}, "action": {"name": "release"}},
        READ,
    ]

    assert decisions(app, {**beside, "evaluations": items}) == [True, False, True, False, True]


def test_an_entity_of_its_own_takes_the_place_of_the_whole_default(app: Caller) -> None:
    parts = [{"resource": {"type": "invoices"}}, {"resource": {"id": "2"}}, {"subject": {"id": "dave"}}, {}]

    found = ask(app, MANY, {**READ, "evaluations": parts})

    assert found["evaluations"] == [
        failed("resource.id"),
        failed("resource.type"),
        failed("subject.type"),
        YES,
    ]


def test_a_bad_question_among_good_ones_is_told_in_its_own_place(app: Caller) -> None:
    wrong = [
        {}, {**READ, "subject": None}, {**READ, "action": {"name": 123}}, {**READ, "context": "x"},
        {**READ, "resource": {"type": "a", "id": "1", "properties": []}},
    ]  # fmt: skip

    found = ask(app, MANY, {"evaluations": [READ, *wrong, RELEASE]})

    assert found["evaluations"] == [
        YES, failed("subject"), failed("subject", "is not an object"), failed("action.name", "is not text"),
        failed("context", "is not an object"), failed("resource.properties", "is not an object"), NOTHING_GRANTS,
    ]  # fmt: skip


def test_what_is_no_object_is_no_question(app: Caller) -> None:
    error = {"status": 400, "message": "The evaluation is not an object."}
    wrong = [None, 1, "x", [], [READ], True]

    found = ask(app, MANY, {**READ, "evaluations": [*wrong, {}]})

    assert found["evaluations"] == [{"decision": False, "context": {"error": error}}] * 6 + [YES]


def test_a_default_that_is_incomplete_harms_only_those_who_use_it(app: Caller) -> None:
    body = {
        "subject": {"type": "user"},
        "evaluations": [READ, {k: v for k, v in READ.items() if k != "subject"}],
    }

    assert ask(app, MANY, body)["evaluations"] == [YES, failed("subject.id")]


@pytest.mark.parametrize(
    ("semantic", "items", "expected"),
    [
        ("execute_all", [READ, RELEASE, READ], [True, False, True]),
        (None, [READ, RELEASE, READ], [True, False, True]),
        ("deny_on_first_deny", [READ, RELEASE, READ], [True, False]),
        ("deny_on_first_deny", [READ, {}, READ], [True, False]),
        ("deny_on_first_deny", [READ, READ], [True, True]),
        ("permit_on_first_permit", [RELEASE, READ, RELEASE], [False, True]),
        ("permit_on_first_permit", [{}, RELEASE], [False, False]),
        ("permit_on_first_permit", [READ, {}], [True]),
    ],
)
def test_it_goes_on_as_far_as_the_semantic_says(
    app: Caller, semantic: str | None, items: list[Any], expected: list[bool]
) -> None:
    options = {"another_option": "value"} | ({"evaluations_semantic": semantic} if semantic else {})

    assert decisions(app, {"evaluations": items, "options": options}) == expected


def test_a_semantic_that_there_is_not_is_400(app: Caller) -> None:
    for semantic in ("", "Execute_All", "deny_on_first_permit", None, 1, True, ["execute_all"], {}):
        for items in ([READ], []):
            body = {**READ, "evaluations": items, "options": {"evaluations_semantic": semantic}}
            assert "evaluations_semantic" in refusal(app.post(MANY, json=body))


@pytest.mark.parametrize("member", ["evaluations", "options", "subject", "action", "resource", "context"])
def test_a_member_of_another_type_spoils_the_whole(app: Caller, member: str) -> None:
    for value in (None, 1, True, "x", *([] if member == "evaluations" else [[1]])):
        sentence = refusal(app.post(MANY, json={"evaluations": [READ], member: value}))
        assert f"The member {member} is not" in sentence


@pytest.mark.parametrize("more", [{"evaluations": []}, {}], ids=SINGLE)
def test_without_evaluations_the_body_itself_is_the_question(app: Caller, more: dict[str, Any]) -> None:
    assert ask(app, MANY, {**READ, **more}) == YES
    assert ask(app, MANY, {**RELEASE, **more, "options": {}}) == NOTHING_GRANTS
    assert refusal(app.post(MANY, json={"subject": user("bob"), **more})) == "The member action is missing."


def test_what_cannot_be_read_is_400_for_the_whole(app: Caller) -> None:
    nested = json.dumps({"evaluations": [{"context": {"a": 1}}]}).replace("1", "[" * 40 + "]" * 40)
    repeated = '{"evaluations": [{"subject": {}, "subject": {}}]}'
    nul = '{"evaluations": [{"subject": {"type": "user", "id": "bob\\u0000"}}]}'

    for data in (
        *UNREADABLE.values(),
        *INVALID.values(),
        nested.encode(),
        repeated.encode(),
        nul.encode(),
        b"",
    ):
        assert refusal(app.post(MANY, data=data, content_type=JSON))
    for kind in (*OTHER_TYPES, None):
        assert refusal(app.post(MANY, data=json.dumps(READ), content_type=kind))


def test_ten_thousand_questions_are_answered_and_one_more_is_not(app: Caller) -> None:
    items: list[dict[str, Any]] = [{}] * 9_999 + [RELEASE]

    found = ask(app, MANY, {**READ, "evaluations": items})["evaluations"]

    assert (len(found), found[0], found[-1]) == (10_000, YES, NOTHING_GRANTS)
    assert "10000" in refusal(app.post(MANY, json={**READ, "evaluations": [*items, {}]}))


def test_a_mebibyte_is_read_there_and_nowhere_else(app: Caller) -> None:
    def sized(size: int) -> bytes:
        return json.dumps(READ).encode().ljust(size)

    assert app.post(MANY, data=sized(2**20), content_type=JSON).json == YES
    assert refusal(app.post(MANY, data=sized(2**20 + 1), content_type=JSON), 413)
    assert app.post(ONE, data=sized(2**16), content_type=JSON).json == YES
    assert refusal(app.post(ONE, data=sized(2**16 + 1), content_type=JSON), 413)
    assert app.post("/v1/auth/login", data=sized(2**16 + 1), content_type=JSON).status_code == 413


def test_what_is_long_does_not_come_back_ten_thousand_times(app: Caller) -> None:
    body = {
        "subject": user("b" * 300_000),
        "action": {"name": "n" * 300_000},
        "resource": {"type": "t" * 300_000, "id": ""},
    }

    answer = app.post(MANY, json={**body, "evaluations": [{}] * 10_000})

    assert answer.status_code == 200
    assert len(answer.data) < 2**21
    assert answer.json["evaluations"] == [NOTHING_GRANTS] * 10_000
