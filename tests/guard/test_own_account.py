"""An administrator's way leads to nothing of one's own account for which its owner would have to prove something more."""

from __future__ import annotations

from tests.builders import Stage
from tests.capabilities.second_factor.device import enrolled, strongly
from tests.cast import ALICE, NEW_PASSWORD, PASSWORD
from tests.contract.operations import operations

REFUSED = {"reset_password", "remove_user_totp", "unlock_user"}
# What needs no more proof by the own way, or has none: roles and sessions, and a profile whose address asks for a recent sign-in.
OTHERWISE_GUARDED = {
    "update_user",
    "delete_user",
    "end_user_sessions",
    "assign_role",
    "revoke_role",
    "erase_user",
}


def test_every_operation_on_a_user_is_either_refused_for_oneself_or_known_to_bypass_nothing(
    stage: Stage,
) -> None:
    upon = [
        found
        for found in operations(stage.app)
        if found.writes and found.path.startswith("/v1/users/{user_id}")
    ]

    assert {found.id for found in upon} == REFUSED | OTHERWISE_GUARDED
    assert {found.id for found in operations(stage.app) if "target.self" in found.codes(403)} == REFUSED


def test_an_administrator_with_every_permission_and_a_second_factor_is_refused_for_herself(
    stage: Stage,
) -> None:
    device = enrolled(stage.as_(ALICE))
    alice = strongly(stage, ALICE, device.code(1))
    before = stage.query("SELECT password_hash FROM users WHERE username = 'alice'")

    for found in operations(stage.app):
        for named in (stage.user_id(ALICE), "alice", "ALICE") if found.id in REFUSED else ():
            answer = alice.call(found.method, found.at({"user_id": named}))
            assert (answer.status_code, answer.json["code"]) == (403, "target.self"), found.id
            assert "/v1/me/" in answer.json["detail"] or found.id == "unlock_user"

    assert stage.query("SELECT password_hash FROM users WHERE username = 'alice'") == before
    assert stage.query("SELECT count(*) FROM password_setups") == [(0,)]
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert alice.post("/v1/me/password", json=change).status_code == 204
