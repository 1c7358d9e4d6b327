"""Questions about one session: the answer is that of the guard in this session, with its second factor and its roles."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import Caller, Stage
from tests.capabilities.activations.scenes import begin_with, make_role
from tests.capabilities.evaluation.asking import MANY, ONE, app_on, ask, refusal, scene
from tests.capabilities.oauth.robot import ACCOUNTS, Robot, as_robot
from tests.capabilities.second_factor.device import enrolled, strongly
from tests.capabilities.signin.crowd import claims
from tests.cast import ALICE, BOB, CAST, DAVE


@pytest.fixture
def app(stage: Stage) -> Caller:
    return app_on(stage)


def in_session(caller: Caller, permission: str, **more: Any) -> dict[str, Any]:
    resource, _, verb = permission.rpartition(":")
    context = {"session_id": claims(caller.tokens["access_token"])["sid"], **more}
    subject = {"type": "user", "id": claims(caller.tokens["access_token"])["sub"]}
    body = {"action": {"name": verb}, "resource": {"type": resource, "id": "1"}, "context": context}
    return {"subject": subject, **body}


def test_a_question_about_a_session_is_answered_as_in_that_session(stage: Stage, app: Caller) -> None:
    scene(stage)
    bob = stage.as_(BOB)
    assert ask(app, ONE, in_session(bob, "tea:cup:wash"))["decision"] is False  # the session has one factor
    assert ask(app, ONE, in_session(bob, "tea:brew"))["decision"] is True
    assert ask(app, ONE, in_session(bob, "tea:cup:wash", second_factor=True))["decision"] is False
    other = {**in_session(bob, "tea:brew"), "subject": {"type": "user", "id": "alice"}}
    assert ask(app, ONE, other)["decision"] is False
    body = in_session(bob, "tea:brew")
    bob.post("/v1/auth/logout")
    assert ask(app, ONE, body)["decision"] is False
    for session_id in ("x", "0190f5a2-7c1b-7d0e-9f3a-3b2c1d0e4f5a"):
        assert ask(app, ONE, {**body, "context": {"session_id": session_id}})["decision"] is False
    assert "session_id" in refusal(app.post(ONE, json={**body, "context": {"session_id": 7}}))


def test_every_session_gets_the_answers_of_its_own_guard(stage: Stage, app: Caller) -> None:
    scene(stage)
    device = enrolled(stage.as_(BOB))
    callers = [stage.as_(person) for person in CAST if person not in (BOB, *disabled())]
    callers += [
        strongly(stage, BOB, device.code(1)),
        begin_with(stage, DAVE, "a"),
        begin_with(stage, DAVE, "d"),
    ]
    names = ["tea:drink", "tea:brew", "tea:cup:wash", "users:read", "users:create"]
    for caller in callers:
        held = caller.get("/v1/me").json["permissions"]
        answers = ask(app, MANY, {"evaluations": [in_session(caller, name) for name in names]})["evaluations"]
        assert [found["decision"] for found in answers] == [name in held for name in names]


def disabled() -> list[Any]:
    return [person for person in CAST if person.username == "mallory"]


def test_a_session_begun_with_an_outgrown_secret_may_nothing(stage: Stage, app: Caller) -> None:
    """The guard refuses it: who issued the secret holds less than the account does now."""
    alice = stage.as_(ALICE)
    issuer = ("service-accounts:read", "service-accounts:create", "service-accounts:update", "invoices:read")
    make_role(alice, "issuer", *issuer)
    make_role(alice, "clerk", "invoices:read")
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/issuer")
    dave = stage.as_(DAVE)
    account = dave.post(ACCOUNTS, json={"name": "urn"}).json
    secret = dave.post(f"{ACCOUNTS}/{account['id']}/secrets").json
    assert alice.put(f"{ACCOUNTS}/{account['id']}/roles/clerk").status_code == 201
    robot = as_robot(stage, Robot(account["id"], "urn", secret["client_secret"], secret["id"]))
    about = in_session(robot, "invoices:read")
    about["subject"]["type"] = "service-account"
    assert ask(app, ONE, about)["decision"] is True

    alice.put("/v1/roles/clerk/permissions/users:read")

    assert robot.get("/v1/me/access?permission=invoices:read").json["code"] == "token.revoked"
    assert ask(app, ONE, about)["decision"] is False
