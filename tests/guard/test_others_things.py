"""Somebody else's ids open nothing: what exists and what does not are answered alike to whoever may not know."""

from typing import Any

from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import make_robot
from tests.cast import ALICE, BOB, CAROL, DAVE, NEW_PASSWORD
from tests.contract.operations import Operation, operations

NOBODY = "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"
OTHERS = {
    "user_id",
    "session_id",
    "incident_id",
    "decision_id",
    "account_id",
    "secret_id",
    "kid",
    "role",
    "junior",
    "permission",
    "seq",
}


def told(caller: Caller, operation: Operation, names: dict[str, str]) -> tuple[int, Any]:
    """Status and body of the answer, without what differs in every answer or repeats the address."""
    answer = caller.call(
        operation.method, operation.at(names), headers={"If-Match": '"any"'}, json=operation.example()
    )
    body = dict(answer.json or {})
    body.pop("request_id", None)
    body.pop("decision_id", None)
    return answer.status_code, body


def incident_about(stage: Stage, alice: Caller) -> str:
    """An open incident: Alice ends Carol's session, and the token is used once more."""
    carol = stage.as_(CAROL)
    alice.delete(f"/v1/sessions/{carol.tokens['session_id']}")
    carol.get("/v1/me")
    (incident,) = alice.get("/v1/incidents").json["items"]
    return str(incident["id"])


def refusal_of(stage: Stage) -> str:
    """The number of something that Bob was refused."""
    return str(stage.as_(BOB).get("/v1/audit/events").json["decision_id"])


def test_dave_cannot_tell_alices_things_from_those_that_do_not_exist(stage: Stage) -> None:
    alice, dave, robot = stage.as_(ALICE), stage.as_(DAVE), make_robot(stage)
    hers = {
        "user_id": stage.user_id(ALICE), "session_id": alice.tokens["session_id"], "role": "admin", "junior": "auditor",
        "domain": "root",
        "permission": "payments:release", "seq": "1", "code": "access.denied", "incident_id": incident_about(stage, alice),
        "account_id": robot.id, "decision_id": refusal_of(stage), "secret_id": robot.secret_id,
        "kid": alice.get("/v1/keys").json["items"][0]["kid"],
    }  # fmt: skip
    nobodys = {
        "user_id": NOBODY, "session_id": NOBODY, "role": "nothing", "junior": "nobody", "domain": "nowhere",
        "permission": "no:thing", "seq": "999999",
        "code": "access.denied", "incident_id": NOBODY, "account_id": NOBODY, "decision_id": NOBODY, "secret_id": NOBODY, "kid": "nothing",
    }  # fmt: skip

    for operation in operations(stage.app):
        if set(operation.parameters) & OTHERS:
            status, body = told(dave, operation, hers)
            assert status in (403, 404), operation.id
            assert (status, body) == told(dave, operation, nobodys), operation.id
    assert alice.get("/v1/me").status_code == 200


def test_daves_own_lists_hold_only_what_is_his(stage: Stage) -> None:
    stage.as_(ALICE)
    stage.as_(BOB)
    dave = stage.as_(DAVE)

    sessions = dave.get("/v1/me/sessions?count=true").json

    assert [session["id"] for session in sessions["items"]] == [dave.tokens["session_id"]]
    assert sessions["total"] == 1
    assert {session["user"]["username"] for session in sessions["items"]} == {"dave"}


def test_bob_ends_alices_session_by_none_of_the_ways_there_are(stage: Stage) -> None:
    alice, bob = stage.as_(ALICE), stage.as_(BOB)
    session, user = alice.tokens["session_id"], stage.user_id(ALICE)

    answers = [
        bob.delete(f"/v1/sessions/{session}"),
        bob.delete(f"/v1/me/sessions/{session}"),
        bob.delete(f"/v1/users/{user}/sessions"),
    ]

    assert [answer.json["code"] for answer in answers] == [
        "target.stronger",
        "session.not_found",
        "target.stronger",
    ]
    assert alice.get("/v1/me").status_code == 200


def test_daves_setup_token_opens_only_daves_account(stage: Stage) -> None:
    token = stage.as_(BOB).post(f"/v1/users/{stage.user_id(DAVE)}/password-reset").json["token"]
    body = {"token": token, "new_password": NEW_PASSWORD}

    spent = stage.caller().post("/v1/auth/password-setup", json={**body, "user_id": stage.user_id(ALICE)})

    assert [fault["pointer"] for fault in spent.json["errors"]] == ["/user_id"]
    assert stage.caller().post("/v1/auth/password-setup", json=body).status_code == 204
    assert stage.as_(ALICE).get("/v1/me").json["username"] == "alice"
