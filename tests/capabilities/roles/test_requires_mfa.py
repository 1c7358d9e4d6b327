"""Roles that require a second factor, end to end: the guard, the token, what one may hand out, and who may change it."""

from __future__ import annotations

import pytest
from time_machine import Traveller

from tests.builders import Caller, Stage
from tests.capabilities.second_factor.device import enrolled, strongly
from tests.capabilities.signin.crowd import claims, refresh
from tests.cast import ALICE, BOB, CAROL, DAVE


@pytest.fixture
def alice(stage: Stage, frozen: Traveller) -> Caller:
    """Alice, signed in with her second factor; another session of hers is without."""
    device = enrolled(stage.as_(ALICE))
    return strongly(stage, ALICE, device.code(1))


def tighten(caller: Caller, role: str, strict: bool = True) -> None:
    answer = caller.patch_now(f"/v1/roles/{role}", {"requires_mfa": strict})
    assert (answer.status_code, answer.json["requires_mfa"]) == (200, strict)


def test_one_session_of_alices_may_what_the_other_may_not(stage: Stage, alice: Caller) -> None:
    weak = alice.stage.caller()
    weak.tokens = refresh(stage, stage.as_(BOB).tokens["refresh_token"]).json
    tighten(alice, "role-manager")

    refused = weak.get("/v1/users")

    assert (refused.status_code, refused.json["code"]) == (403, "access.denied")
    assert "role-manager is effective only after signing in with a second factor" in refused.json["detail"]
    assert alice.get("/v1/users").status_code == 200


def test_admin_itself_may_be_made_strict_and_the_way_in_stays_open(
    stage: Stage, alice: Caller, frozen: Traveller
) -> None:
    tighten(alice, "admin")
    stage.execute("DELETE FROM recovery_codes", "DELETE FROM totp_factors")  # nobody has a factor any more

    weak = stage.as_(ALICE)
    assert weak.get("/v1/users").status_code == 403
    assert weak.get("/v1/me").json["roles"] == []
    device = enrolled(weak)
    frozen.shift(30)
    strong = strongly(stage, ALICE, device.code())
    assert strong.get("/v1/users").status_code == 200
    assert "admin" in strong.get("/v1/me").json["roles"]


def test_token_and_staleness_follow_the_session(stage: Stage, alice: Caller) -> None:
    bob, before = stage.as_(BOB), stage.as_(BOB).tokens["access_token"]
    tighten(alice, "role-manager")

    answer = bob.get("/v1/me")

    assert answer.headers["Authz-Stale"] == "true"
    assert (answer.json["roles"], answer.json["permissions"]) == ([], [])
    renewed = refresh(stage, bob.tokens["refresh_token"]).json
    assert claims(renewed["access_token"])["roles"] == []
    assert claims(renewed["access_token"])["av"] > claims(before)["av"]
    bob.tokens = renewed
    assert "Authz-Stale" not in bob.get("/v1/me").headers


def test_bob_with_his_device_has_his_role(stage: Stage, alice: Caller) -> None:
    tighten(alice, "role-manager")
    device = enrolled(stage.as_(BOB))

    bob = strongly(stage, BOB, device.code(1))

    assert claims(bob.tokens["access_token"])["roles"] == ["role-manager"]
    answer = bob.get("/v1/users")
    assert (answer.status_code, "Authz-Stale" in answer.headers) == (200, False)


def test_what_a_session_lacks_it_cannot_hand_out(stage: Stage, alice: Caller) -> None:
    alice.post("/v1/roles", json={"name": "vault", "permissions": ["payments:release"], "requires_mfa": True})
    alice.put(f"/v1/users/{stage.user_id(BOB)}/roles/vault")
    weak = stage.as_(BOB)

    refused = weak.put(f"/v1/users/{stage.user_id(DAVE)}/roles/vault")

    assert (refused.status_code, refused.json["missing"]) == (403, ["payments:release"])
    device = enrolled(weak)
    strong = strongly(stage, BOB, device.code(1))
    assert strong.put(f"/v1/users/{stage.user_id(DAVE)}/roles/vault").status_code == 201


def test_a_session_without_the_factor_cannot_loosen_the_role_either(stage: Stage, alice: Caller) -> None:
    alice.post("/v1/roles", json={"name": "vault", "permissions": ["payments:release"], "requires_mfa": True})
    alice.put(f"/v1/users/{stage.user_id(BOB)}/roles/vault")

    refused = stage.as_(BOB).patch_now("/v1/roles/vault", {"requires_mfa": False})

    assert (refused.status_code, refused.json["code"]) == (403, "target.stronger")


def test_whoever_could_hold_more_with_a_factor_counts_as_somebody_who_does(
    stage: Stage, alice: Caller
) -> None:
    alice.post("/v1/roles", json={"name": "vault", "permissions": ["payments:release"], "requires_mfa": True})
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/vault")

    refused = stage.as_(BOB).post(f"/v1/users/{stage.user_id(DAVE)}/password-reset")

    assert (refused.status_code, refused.json["code"]) == (403, "target.stronger")
    roles = stage.as_(CAROL).get(f"/v1/users/{stage.user_id(DAVE)}/roles").json
    assert roles["effective"] == [{"role": "vault", "via": ["vault"]}]


def test_changing_it_is_recorded_and_changes_the_tag(stage: Stage, alice: Caller) -> None:
    alice.post("/v1/roles", json={"name": "clerk"})
    before = alice.get("/v1/roles/clerk")

    tighten(alice, "clerk")

    assert before.json["requires_mfa"] is False
    assert alice.get("/v1/roles/clerk").headers["ETag"] != before.headers["ETag"]
    (event,) = stage.events("role.updated")
    assert "true" in str(event["after"]).lower()
    assert "false" in str(event["before"]).lower()
    assert "description" not in str(event["after"])


def test_saying_what_is_so_already_changes_nothing(stage: Stage, alice: Caller) -> None:
    before = alice.get("/v1/roles/admin").headers["ETag"]

    tighten(alice, "admin", strict=False)

    assert alice.get("/v1/roles/admin").headers["ETag"] == before
    assert stage.events("role.updated") == []


@pytest.mark.parametrize(
    "body", [{"description": "mine"}, {"description": "mine", "requires_mfa": True}, {}], ids=str
)
def test_nothing_else_of_a_built_in_role_changes(
    stage: Stage, alice: Caller, body: dict[str, object]
) -> None:
    answer = alice.patch_now("/v1/roles/auditor", body)

    assert (answer.status_code, answer.json["code"]) == (409, "role.system")


def test_bob_cannot_touch_a_role_that_holds_more_than_he_does(stage: Stage) -> None:
    bob = stage.as_(BOB)

    answer = bob.patch_now("/v1/roles/admin", {"requires_mfa": True})

    assert (answer.status_code, answer.json["code"]) == (403, "target.stronger")


def test_a_restart_leaves_a_built_in_role_as_strict_as_it_was_made(stage: Stage, alice: Caller) -> None:
    from rbac_api.capabilities.policy.service import SYSTEM, read_file, reconcile_system
    from rbac_api.cli.prepare import operator_unit

    tighten(alice, "admin")
    with operator_unit(stage.settings, stage.database) as clearance:
        assert reconcile_system(clearance, read_file(SYSTEM)) == 0

    assert alice.get("/v1/roles/admin").json["requires_mfa"] is True
