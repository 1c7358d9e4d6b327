"""Giving roles and taking them away: in force on the next request, whatever a token still says."""

import json

from tests.builders import Stage
from tests.cast import ALICE, BOB, CAROL, DAVE, MALLORY


def test_alice_gives_dave_a_role_and_he_may_on_his_next_request(stage: Stage) -> None:
    alice, dave, path = stage.as_(ALICE), stage.as_(DAVE), f"/v1/users/{stage.user_id(DAVE)}/roles/auditor"
    assert dave.get("/v1/users").status_code == 403

    given = alice.put(path, json={"reason": "Covers for Carol"})

    assert given.status_code == 201
    assert (given.json["role"], given.json["mode"], given.json["reason"]) == (
        "auditor",
        "active",
        "Covers for Carol",
    )
    assert given.json["assigned_by"] == {"id": stage.user_id(ALICE), "username": "alice"}
    assert dave.get("/v1/users").status_code == 200
    event = stage.events("assignment.created")[-1]
    assert (event["actor_name"], event["target_name"], event["reason"]) == (
        "alice",
        "dave",
        "Covers for Carol",
    )
    assert json.loads(event["after"]) == {"role": "auditor"}


def test_giving_what_dave_has_changes_nothing(stage: Stage) -> None:
    alice, path = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}/roles/auditor"
    first = alice.put(path, json={"reason": "First"}).json
    events = len(stage.events())

    for body in (
        None,
        {},
        {"reason": "First"},
        {"mode": "active", "expires_at": None, "starts_at": first["starts_at"]},
    ):
        again = alice.put(path, json=body) if body is not None else alice.put(path)
        assert (again.status_code, again.json) == (200, first)
    assert len(stage.events()) == events


def test_no_body_is_needed_to_give_a_role(stage: Stage) -> None:
    alice, path = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}/roles/auditor"

    assert alice.put(path).json["reason"] is None
    assert alice.put(path, data=b"reason", content_type="text/plain").status_code == 415
    assert alice.put(path, data=b"", content_type="application/json").status_code == 200


def test_a_role_taken_away_is_gone_on_the_next_request_and_the_token_is_called_stale(stage: Stage) -> None:
    alice, carol, path = stage.as_(ALICE), stage.as_(CAROL), f"/v1/users/{stage.user_id(CAROL)}/roles/auditor"
    assert "Authz-Stale" not in carol.get("/v1/users").headers

    assert alice.delete(path).status_code == 204

    refused = carol.get("/v1/users")
    assert (refused.status_code, refused.headers["Authz-Stale"]) == (403, "true")
    assert carol.get("/v1/me").headers["Authz-Stale"] == "true"
    assert "Authz-Stale" not in stage.as_(CAROL).get("/v1/me").headers
    again = alice.delete(path)
    assert (again.status_code, again.json["code"]) == (404, "assignment.not_found")
    assert json.loads(stage.events("assignment.ended")[-1]["before"]) == {"role": "auditor"}


def test_a_role_given_back_is_a_new_assignment_and_the_old_row_stays(stage: Stage) -> None:
    alice, path = stage.as_(ALICE), f"/v1/users/{stage.user_id(CAROL)}/roles/auditor"
    alice.delete(path)

    assert alice.put(path).status_code == 201

    rows = "SELECT a.valid_to FROM assignments a JOIN users u ON u.id = a.user_id WHERE u.username = ?"
    ends = [ended for (ended,) in stage.query(f"{rows} ORDER BY a.valid_from", "carol")]
    assert [end is None for end in ends] == [False, True]


def test_dave_is_shown_with_what_he_has_directly_and_through_what_else(stage: Stage) -> None:
    alice, path = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}/roles"
    for name in ("chief", "clerk"):
        alice.post("/v1/roles", json={"name": name})
        alice.put(f"{path}/{name}")
    alice.put("/v1/roles/chief/inherits/clerk")

    found = stage.as_(CAROL).get(path).json

    assert [assignment["role"] for assignment in found["direct"]] == ["chief", "clerk"]
    assert found["effective"] == [
        {"role": "chief", "via": ["chief"]},
        {"role": "clerk", "via": ["chief", "clerk"]},
    ]


def test_what_the_system_gave_was_given_by_nobody(stage: Stage) -> None:
    found = stage.as_(CAROL).get(f"/v1/users/{stage.user_id(ALICE)}/roles").json["direct"]

    assert [(assignment["role"], assignment["assigned_by"]) for assignment in found] == [("admin", None)]


def test_somebody_disabled_may_be_given_a_role_that_counts_once_she_is_enabled(stage: Stage) -> None:
    alice, path = stage.as_(ALICE), f"/v1/users/{stage.user_id(MALLORY)}"

    alice.put(f"{path}/roles/auditor")

    assert alice.get(f"{path}/roles").json["effective"] == []
    alice.patch_now(path, {"status": "active"})
    assert "audit:read" in stage.as_(MALLORY).get("/v1/me").json["permissions"]


def test_unknown_users_and_roles_are_told_apart(stage: Stage) -> None:
    alice, nobody = stage.as_(ALICE), "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"

    for method in ("PUT", "DELETE"):
        user = alice.call(method, f"/v1/users/{nobody}/roles/auditor")
        role = alice.call(method, f"/v1/users/{stage.user_id(DAVE)}/roles/nothing")
        assert [user.json["code"], role.json["code"]] == ["user.not_found", "role.not_found"]
    assert alice.get(f"/v1/users/{nobody}/roles").json["code"] == "user.not_found"


def test_a_promotion_shows_in_the_answer_before_the_token_knows(stage: Stage) -> None:
    bob = stage.as_(BOB)

    stage.as_(ALICE).put(f"/v1/users/{stage.user_id(BOB)}/roles/auditor")

    answer = bob.get("/v1/audit/events?limit=1")
    assert (answer.status_code, answer.headers["Authz-Stale"]) == (200, "true")
