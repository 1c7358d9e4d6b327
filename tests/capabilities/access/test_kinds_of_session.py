"""A role that requires a second factor counts in one kind of session only: every answer says of which kind it speaks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import Caller, Stage
from tests.capabilities.evaluation.asking import MANY, NOTHING_GRANTS, ONE, YES, app_on, ask, question
from tests.capabilities.oauth.robot import make_robot
from tests.capabilities.second_factor.device import enrolled, strongly
from tests.cast import ALICE, DAVE

STRICT, PLAIN = "payments:release", "invoices:read"
WITH = {"decision": True, "context": {"second_factor": True}}
WITHOUT = {
    "decision": False,
    "context": {
        "reasons": [
            {
                "code": "mfa",
                "detail": "A role that grants this is effective only in a session with a second factor.",
            },
            *NOTHING_GRANTS["context"]["reasons"],  # type: ignore[index]
        ]
    },
}


@pytest.fixture
def alice(stage: Stage) -> Caller:
    """Dave, who never enrolled, has a role that requires a second factor, and one that does not."""
    alice = stage.as_(ALICE)
    for name, permission, strict in (("payer", STRICT, True), ("reader", PLAIN, False)):
        body = {"name": name, "permissions": [permission], "requires_mfa": strict}
        assert alice.post("/v1/roles", json=body).status_code == 201
        assert alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/{name}").status_code == 201
    return alice


def access(alice: Caller, permission: str, query: str = "") -> Any:
    answer = alice.get(f"/v1/users/dave/access?permission={permission}{query}")
    assert answer.status_code == 200, answer.text
    return answer.json


def test_an_explanation_says_and_is_asked_for_the_kind(alice: Caller) -> None:
    told = [access(alice, STRICT, query) for query in ("", "&second_factor=true", "&second_factor=false")]

    kinds = [(answer["decision"], answer["second_factor"]) for answer in told]
    assert kinds == [(True, True), (True, True), (False, False)]
    assert [reason["code"] for reason in told[2]["because"]] == ["mfa"]
    assert access(alice, PLAIN, "&second_factor=false")["decision"] is True


def test_the_past_is_asked_in_the_same_way(alice: Caller, stage: Stage) -> None:
    at = alice.get("/v1/audit/events?limit=1").json["items"][0]["at"]

    told = [access(alice, STRICT, f"&at={at}&second_factor={kind}") for kind in ("true", "false")]

    assert [(answer["decision"], answer["second_factor"]) for answer in told] == [
        (True, True),
        (False, False),
    ]


def test_ones_own_access_is_of_the_session_asked_in(alice: Caller, stage: Stage) -> None:
    weakly = stage.as_(DAVE)
    device = enrolled(weakly)

    told = [
        caller.get(f"/v1/me/access?permission={STRICT}").json
        for caller in (weakly, strongly(stage, DAVE, device.code(1)))
    ]

    assert [(answer["decision"], answer["second_factor"]) for answer in told] == [
        (False, False),
        (True, True),
    ]


def test_a_refusal_is_explained_with_its_kind(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    number = dave.get("/v1/users").json["decision_id"]

    assert dave.get(f"/v1/decisions/{number}").json["second_factor"] is False


def test_a_program_has_no_second_factor_and_none_to_ask_about(alice: Caller, stage: Stage) -> None:
    path = f"{make_robot(stage, 'payer').path}/access?permission={STRICT}"

    told = alice.get(path).json

    assert (told["decision"], told["second_factor"]) == (False, False)
    assert alice.get(f"{path}&second_factor=true").status_code == 422


@pytest.mark.parametrize(
    ("context", "strict"), [({}, WITH), ({"second_factor": True}, WITH), ({"second_factor": False}, WITHOUT)]
)
def test_an_app_is_told_and_may_ask(
    alice: Caller, stage: Stage, context: dict[str, Any], strict: dict[str, Any]
) -> None:
    app = app_on(stage)
    asked = [
        question("dave", permission, context=context) for permission in (STRICT, PLAIN, "invoices:approve")
    ]

    expected = [strict, YES, NOTHING_GRANTS]

    assert [ask(app, ONE, one) for one in asked] == expected
    assert ask(app, MANY, {"evaluations": asked})["evaluations"] == expected


def test_the_kind_may_be_the_default_of_a_batch(alice: Caller, stage: Stage) -> None:
    asked = question("dave", STRICT, context={"second_factor": False})
    body = {**asked, "evaluations": [{}, {"context": {}}]}

    assert ask(app_on(stage), MANY, body)["evaluations"] == [WITHOUT, WITH]


@pytest.mark.parametrize("wrong", ["yes", 1, None, []])
def test_what_is_neither_true_nor_false_is_no_question(stage: Stage, wrong: Any) -> None:
    answer = app_on(stage).post(ONE, json=question("dave", PLAIN, context={"second_factor": wrong}))

    assert answer.status_code == 400
    assert "second_factor" in answer.text
