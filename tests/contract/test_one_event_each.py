"""Every writing operation leaves exactly one event of its own, and one that fails leaves none of a change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import ACCOUNTS, ask_token, make_robot
from tests.capabilities.policy.stories import apply
from tests.capabilities.second_factor.device import PROOF, Device, enrolled, strongly
from tests.cast import ALICE, BOB, CAROL, DAVE, NEW_PASSWORD, PASSWORD
from tests.contract.operations import operations

Answer = Any
Act = Callable[[Stage, Caller, str], Answer]  # the stage, Alice, and Dave's id


def session_of(stage: Stage, person: Any) -> str:
    return str(stage.as_(person).tokens["session_id"])


def with_role(alice: Caller, name: str = "clerk", **more: Any) -> Caller:
    assert alice.post("/v1/roles", json={"name": name, **more}).status_code == 201
    return alice


def with_rule(alice: Caller) -> dict[str, Any]:
    """What makes a constraint on two roles, which are there."""
    with_role(with_role(alice, "clerk"), "chief")
    return {"name": "rule", "kind": "static", "roles": ["clerk", "chief"], "limit": 2}


def with_domain(alice: Caller) -> Caller:
    alice.post("/v1/domains", json={"name": "acme"})
    return alice


def with_assignment(alice: Caller, dave: str) -> Caller:
    assert alice.put(f"/v1/users/{dave}/roles/auditor", json={}).status_code == 201
    return alice


def spend_setup(_stage: Stage, alice: Caller, dave: str) -> Answer:
    token = alice.post(f"/v1/users/{dave}/password-reset").json["token"]
    return alice.post("/v1/auth/password-setup", json={"token": token, "new_password": NEW_PASSWORD})


def inherited(alice: Caller) -> Caller:
    with_role(with_role(alice, "clerk"), "chief")
    assert alice.put("/v1/roles/chief/inherits/clerk").status_code == 201
    return alice


def delete_constraint(_stage: Stage, alice: Caller, _dave: str) -> Answer:
    alice.post("/v1/constraints", json=with_rule(alice))
    return alice.delete("/v1/constraints/rule")


def revert_policy(_stage: Stage, alice: Caller, _dave: str) -> Answer:
    seq = apply(alice, {"permissions": [PERMISSION]}).json["seq"]
    return alice.post("/v1/policy/revert", json={"seq": seq})


def withdraw_key(stage: Stage, alice: Caller, _dave: str) -> Answer:
    (old,) = alice.get("/v1/keys").json["items"]
    alice.post("/v1/keys/rotate", json={"emergency": True})
    return stage.as_(ALICE).delete(f"/v1/keys/{old['kid']}")


def close_incident(stage: Stage, alice: Caller, _dave: str) -> Answer:
    dave = stage.as_(DAVE)
    alice.delete(f"/v1/sessions/{dave.tokens['session_id']}")
    dave.get("/v1/me")  # with a dead token
    (incident,) = alice.get("/v1/incidents").json["items"]
    return alice.post(f"/v1/incidents/{incident['id']}/close", json={"reason": "his own browser"})


def revoke_sessions(stage: Stage, alice: Caller, _dave: str) -> Answer:
    stage.as_(DAVE)
    body = {"filter": {"user": "dave"}, "expected_count": 1, "reason": "laptop stolen"}
    return alice.post("/v1/sessions/revocations", json=body)


def withdraw_secret(stage: Stage, alice: Caller, _dave: str) -> Answer:
    robot = make_robot(stage)
    return alice.delete(f"{robot.path}/secrets/{robot.secret_id}")


def confirm(_stage: Stage, alice: Caller, _dave: str) -> Answer:
    device = Device(alice.post("/v1/me/totp", json=PROOF).json["secret"])
    return alice.post("/v1/me/totp/confirm", json={"code": device.code()})


def remove_own(stage: Stage, alice: Caller, _dave: str) -> Answer:
    device = enrolled(alice)
    return strongly(stage, ALICE, device.code(1)).delete("/v1/me/totp")


def remove_daves(stage: Stage, alice: Caller, dave: str) -> Answer:
    enrolled(stage.as_(DAVE))
    return alice.delete(f"/v1/users/{dave}/totp")


def erase(_stage: Stage, alice: Caller, dave: str) -> Answer:
    alice.delete_now(f"/v1/users/{dave}")
    return alice.post(f"/v1/users/{dave}/erasure", json={"reason": "ticket 4711"})


def unlock(stage: Stage, alice: Caller, dave: str) -> Answer:
    stage.caller().post("/v1/auth/login", json={**LOGIN, "password": "wrong"})
    return alice.post(f"/v1/users/{dave}/unlock")


LOGIN = {"username": "dave", "password": PASSWORD}
CHANGE = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
OTHERS = {
    "login": "dave",
    "set_password": None,
    "issue_token": "invoice-robot",
}  # who does it, if it is not Alice
ACTIVATION = {"duration": 60, "reason": "audit week"}
PERMISSION = {"name": "reports:read", "description": "Read reports."}
STEPS = {
    "apply_policy": "permission.created",
    "revert_policy": "permission.deleted",
}  # each change by itself, first
# operation: (the event it leaves, how it is done)
DONE: dict[str, tuple[str, Act]] = {
    "login": ("signin.succeeded", lambda s, a, d: s.caller().post("/v1/auth/login", json=LOGIN)),
    "refresh": ("token.rotated", lambda s, a, d: s.caller().post("/v1/auth/refresh", json={"refresh_token": a.tokens["refresh_token"]})),
    "logout": ("session.ended", lambda s, a, d: a.post("/v1/auth/logout")),
    "set_password": ("password.set", spend_setup),
    "update_me": ("user.updated", lambda s, a, d: a.patch("/v1/me", json={"display_name": "Alice"})),
    "change_my_password": ("password.changed", lambda s, a, d: a.post("/v1/me/password", json=CHANGE)),
    "enrol_totp": ("totp.enrolled", lambda s, a, d: a.post("/v1/me/totp", json=PROOF)),
    "confirm_totp": ("totp.confirmed", confirm),
    "remove_totp": ("totp.removed", remove_own),
    "remove_user_totp": ("totp.removed", remove_daves),
    "end_my_session": ("session.ended", lambda s, a, d: a.delete(f"/v1/me/sessions/{session_of(s, ALICE)}")),
    "end_my_sessions": ("sessions.ended", lambda s, a, d: a.delete("/v1/me/sessions")),
    "activate_role": ("activation.created", lambda s, a, d: a.put("/v1/me/activations/admin", json=ACTIVATION)),
    "drop_role": ("activation.ended", lambda s, a, d: a.delete("/v1/me/activations/admin")),
    "create_user": ("user.created", lambda s, a, d: a.post("/v1/users", json={"username": "erin"})),
    "update_user": ("user.updated", lambda s, a, d: a.patch_now(f"/v1/users/{d}", {"display_name": "Dave"})),
    "delete_user": ("user.deleted", lambda s, a, d: a.delete_now(f"/v1/users/{d}")),
    "erase_user": ("user.erased", erase),
    "reset_password": ("password.reset", lambda s, a, d: a.post(f"/v1/users/{d}/password-reset")),
    "unlock_user": ("user.unlocked", unlock),
    "end_user_sessions": ("sessions.ended", lambda s, a, d: (session_of(s, DAVE), a.delete(f"/v1/users/{d}/sessions"))[1]),
    "create_role": ("role.created", lambda s, a, d: a.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"]})),
    "update_role": ("role.updated", lambda s, a, d: with_role(a).patch_now("/v1/roles/clerk", {"description": "Reads."})),
    "delete_role": ("role.deleted", lambda s, a, d: with_role(a).delete_now("/v1/roles/clerk")),
    "grant_permission": ("permission.granted", lambda s, a, d: with_role(a).put("/v1/roles/clerk/permissions/invoices:read")),
    "withdraw_permission": (
        "permission.withdrawn",
        lambda s, a, d: with_role(a, permissions=["invoices:read"]).delete("/v1/roles/clerk/permissions/invoices:read"),
    ),
    "inherit_role": ("inheritance.created", lambda s, a, d: with_role(with_role(a), "chief").put("/v1/roles/chief/inherits/clerk")),
    "disinherit_role": ("inheritance.ended", lambda s, a, d: inherited(a).delete("/v1/roles/chief/inherits/clerk")),
    "create_permission": ("permission.created", lambda s, a, d: a.post("/v1/permissions", json=PERMISSION)),
    "delete_permission": ("permission.deleted", lambda s, a, d: a.delete("/v1/permissions/invoices:read?force=true")),
    "create_domain": ("domain.created", lambda s, a, d: a.post("/v1/domains", json={"name": "acme"})),
    "update_domain": ("domain.updated", lambda s, a, d: with_domain(a).patch("/v1/domains/acme", json={"title": "Acme"})),
    "delete_domain": ("domain.deleted", lambda s, a, d: with_domain(a).delete("/v1/domains/acme")),
    "create_constraint": ("constraint.created", lambda s, a, d: a.post("/v1/constraints", json=with_rule(a))),
    "delete_constraint": ("constraint.deleted", delete_constraint),
    "apply_policy": ("policy.applied", lambda s, a, d: apply(a, {"permissions": [PERMISSION]})),
    "revert_policy": ("policy.reverted", revert_policy),
    "assign_role": ("assignment.created", lambda s, a, d: a.put(f"/v1/users/{d}/roles/auditor", json={"reason": "audit week"})),
    "revoke_role": ("assignment.ended", lambda s, a, d: with_assignment(a, d).delete(f"/v1/users/{d}/roles/auditor")),
    "rotate_keys": ("key.rotated", lambda s, a, d: a.post("/v1/keys/rotate", json={"emergency": True})),
    "withdraw_key": ("key.withdrawn", withdraw_key),
    "revoke_sessions": ("sessions.revoked", revoke_sessions),
    "close_incident": ("incident.closed", close_incident),
    "issue_token": ("client.signed_in", lambda s, a, d: ask_token(s, make_robot(s))),
    "revoke_token": ("token.revoked", lambda s, a, d: a.post("/oauth/revoke", data={"token": s.as_(DAVE).tokens["access_token"]})),
    "create_service_account": ("service_account.created", lambda s, a, d: a.post(ACCOUNTS, json={"name": "invoice-robot"})),
    "update_service_account": ("service_account.updated", lambda s, a, d: a.patch_now(make_robot(s).path, {"description": "Sends"})),
    "delete_service_account": ("service_account.deleted", lambda s, a, d: a.delete_now(make_robot(s).path)),
    "create_client_secret": ("client_secret.created", lambda s, a, d: a.post(f"{make_robot(s).path}/secrets")),
    "withdraw_client_secret": ("client_secret.withdrawn", withdraw_secret),
    "assign_service_account_role": ("assignment.created", lambda s, a, d: a.put(f"{make_robot(s).path}/roles/auditor")),
    "revoke_service_account_role": ("assignment.ended", lambda s, a, d: a.delete(f"{make_robot(s, 'auditor').path}/roles/auditor")),
    "end_session": ("session.ended", lambda s, a, d: a.delete(f"/v1/sessions/{session_of(s, CAROL)}")),
}  # fmt: skip


def test_every_writing_operation_is_covered(stage: Stage) -> None:
    writing = {found.id for found in operations(stage.app) if found.writes and not found.asks}
    assert writing == set(DONE)


@pytest.mark.parametrize("operation", sorted(DONE))
def test_it_leaves_one_event_with_who_what_and_whence(stage: Stage, operation: str) -> None:
    action, act = DONE[operation]
    alice, dave = stage.as_(ALICE), stage.user_id(DAVE)

    answer = act(stage, alice, dave)

    assert answer.status_code < 300, answer.text
    own = [event for event in stage.events() if event["request_id"] == answer.headers["X-Request-ID"]]
    own = [event for event in own if event["action"] != STEPS.get(operation)]
    assert [(event["action"], event["outcome"], event["ip"]) for event in own] == [
        (action, "success", "127.0.0.1")
    ]
    assert own[0]["target_id"] or operation == "revoke_sessions", "that is about many"
    assert own[0]["actor_name"] == OTHERS.get(operation, "alice")


def test_deleting_a_held_role_by_force_leaves_one_more_for_each_holder(stage: Stage) -> None:
    alice = with_role(stage.as_(ALICE))
    for person in (BOB, DAVE):
        assert alice.put(f"/v1/users/{stage.user_id(person)}/roles/clerk").status_code == 201

    answer = alice.delete_now("/v1/roles/clerk?force=true")

    assert answer.status_code == 204
    own = [
        event["action"] for event in stage.events() if event["request_id"] == answer.headers["X-Request-ID"]
    ]
    assert own == ["assignment.ended", "assignment.ended", "role.deleted"]
