"""What one node did is in force on the next request at every other, whatever a token still says (B13; P3, P4).

Two applications on one database, each with a memory of its own: as two workers, or two machines.
"""

from collections.abc import Callable
from typing import Any

import pytest

from tests.builders import Caller, OpenNode, Stage
from tests.cast import ALICE, BOB, CAROL, DAVE, MALLORY
from tests.contract.operations import operations

ROUNDS = 20


def at(node: Stage, caller: Caller) -> Caller:
    """The same person with the same tokens, speaking to another node."""
    found = node.caller()
    found.tokens = caller.tokens
    return found


Change = Callable[[Stage, Caller, Caller], Any]
# Carol reads the trail at the other node; something is done to her here; she asks there again.
CHANGES: dict[str, tuple[Change, int]] = {
    "her role is taken away": (
        lambda stage, alice, _carol: alice.delete(f"/v1/users/{stage.user_id(CAROL)}/roles/auditor"),
        403,
    ),
    "she is disabled": (
        lambda stage, alice, _carol: alice.patch_now(
            f"/v1/users/{stage.user_id(CAROL)}", {"status": "disabled"}
        ),
        401,
    ),
    "she is deleted": (
        lambda stage, alice, _carol: alice.delete_now(f"/v1/users/{stage.user_id(CAROL)}"),
        401,
    ),
    "her password is reset": (
        lambda stage, alice, _carol: alice.post(f"/v1/users/{stage.user_id(CAROL)}/password-reset"),
        401,
    ),
    "her session is ended": (
        lambda _stage, alice, carol: alice.delete(f"/v1/sessions/{carol.tokens['session_id']}"),
        401,
    ),
    "all her sessions are ended": (
        lambda stage, alice, _carol: alice.delete(f"/v1/users/{stage.user_id(CAROL)}/sessions"),
        401,
    ),
    "she signs out": (lambda _stage, _alice, carol: carol.post("/v1/auth/logout"), 401),
    "only her name is changed": (
        lambda stage, alice, _carol: alice.patch_now(
            f"/v1/users/{stage.user_id(CAROL)}", {"display_name": "C."}
        ),
        200,
    ),
}


@pytest.mark.parametrize(("change", "status"), CHANGES.values(), ids=CHANGES)
def test_what_is_done_to_carol_here_holds_there_on_her_next_request(
    stage: Stage, node: OpenNode, change: Change, status: int
) -> None:
    other, alice, carol = node(), stage.as_(ALICE), stage.as_(CAROL)
    there = at(other, carol)
    assert there.get("/v1/audit/events/1").status_code == 200

    assert change(stage, alice, carol).status_code < 300

    assert there.get("/v1/audit/events/1").status_code == status


def test_what_is_done_to_carols_role_there_holds_here_on_her_next_request(
    stage: Stage, node: OpenNode
) -> None:
    alice = stage.as_(ALICE)
    alice_there, dave = at(node(), alice), stage.as_(DAVE)
    alice.post("/v1/roles", json={"name": "reader"})
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/reader")
    statuses = []

    for number in range(ROUNDS):
        method = "DELETE" if number % 2 else "PUT"
        alice_there.call(method, "/v1/roles/reader/permissions/users:read")
        statuses.append(dave.get("/v1/users").status_code)

    assert statuses == [403 if number % 2 else 200 for number in range(ROUNDS)]


def test_a_demoted_administrator_gets_through_no_administrative_route_with_his_old_token(
    stage: Stage, node: OpenNode
) -> None:
    alice, path = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}/roles/admin"
    alice.put(path)
    dave = at(node(), stage.as_(DAVE))
    assert dave.get("/v1/users").status_code == 200
    alice.delete(path)
    events = len(stage.events("user.created"))

    for operation in operations(stage.app):
        if operation.permission and not operation.own_form:
            names = dict.fromkeys(operation.parameters, "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57") | {"seq": "1"}
            answer = dave.call(operation.method, operation.at(names), json=operation.example())
            assert (answer.status_code, answer.json["required"]) == (403, operation.permission)
            assert answer.headers["Authz-Stale"] == "true"
    assert len(stage.events("user.created")) == events


def test_somebody_promoted_may_at_once_and_need_not_sign_in_again(stage: Stage, node: OpenNode) -> None:
    bob = at(node(), stage.as_(BOB))
    assert bob.get("/v1/audit/events/1").status_code == 403

    stage.as_(ALICE).put(f"/v1/users/{stage.user_id(BOB)}/roles/auditor")

    assert bob.get("/v1/audit/events/1").status_code == 200


def test_somebody_enabled_again_there_stays_signed_out_here(stage: Stage, node: OpenNode) -> None:
    alice_there = at(node(), stage.as_(ALICE))
    path = f"/v1/users/{stage.user_id(MALLORY)}"
    alice_there.patch_now(path, {"status": "active"})
    mallory = stage.as_(MALLORY)
    assert mallory.get("/v1/me").status_code == 200

    alice_there.patch_now(path, {"status": "disabled"})
    alice_there.patch_now(path, {"status": "active"})

    assert mallory.get("/v1/me").json["code"] == "token.revoked"


def test_a_node_that_believes_nothing_ever_changes_would_let_carol_through(
    stage: Stage, node: OpenNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin: a memory that nobody freshens, as roles taken from a token would be."""
    other, alice, carol = node(), stage.as_(ALICE), stage.as_(CAROL)
    there = at(other, carol)
    there.get("/v1/audit/events/1")
    monkeypatch.setattr(other.guard.snapshot.gate, "unchanged", lambda: True)

    alice.delete(f"/v1/users/{stage.user_id(CAROL)}/roles/auditor")

    assert there.get("/v1/users").status_code == 200
