"""Deleting users: everything of theirs ends, nothing of theirs is given out again, and the trail remembers."""

import json
from pathlib import Path

from tests.builders import Stage
from tests.cast import ALICE, BOB, DAVE

ROOT = Path(__file__).resolve().parents[3]


def test_bob_deletes_dave_and_everything_of_daves_ends(stage: Stage) -> None:
    alice, bob, path = stage.as_(ALICE), stage.as_(BOB), f"/v1/users/{stage.user_id(DAVE)}"
    alice.put(f"{path}/roles/role-manager", json={"reason": "Covers for Bob"})
    dave = stage.as_(DAVE)

    assert bob.delete_now(path).status_code == 204

    assert dave.get("/v1/me").json["code"] == "token.revoked"
    answer = dave.client.post("/v1/auth/refresh", json={"refresh_token": dave.tokens["refresh_token"]})
    assert answer.json["code"] == "token.revoked"
    assert bob.get(path).status_code == 404
    sessions = alice.get(f"/v1/sessions?state=ended&user={stage.user_id(DAVE)}").json["items"]
    assert [session["end_reason"] for session in sessions] == ["user-deleted"]
    open_ones = "SELECT count(*) FROM assignments a JOIN users u ON u.id = a.user_id"
    assert stage.query(f"{open_ones} WHERE u.username = 'dave' AND a.valid_to IS NULL") == [(0,)]


def test_what_stays_of_dave_is_a_name_that_nobody_gets_and_his_events(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.user_id(DAVE)
    alice.patch_now(f"/v1/users/{dave}", {"display_name": "Dave B.", "email": "dave@example.com"})
    alice.put(f"/v1/users/{dave}/roles/auditor")

    alice.delete_now(f"/v1/users/{dave}")

    rows = stage.query(
        "SELECT status, email, email_canonical, display_name, password_hash FROM users WHERE username = 'dave'"
    )
    assert rows == [("deleted", None, None, None, None)]
    deleted = stage.events("user.deleted")[-1]
    assert (deleted["actor_name"], deleted["target_id"], deleted["target_name"]) == ("alice", dave, "dave")
    assert json.loads(deleted["before"])["roles"] == ["auditor"]
    assert len(alice.get(f"/v1/audit/events?target={dave}").json["items"]) == 4


def test_another_dave_cannot_be_made(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.user_id(DAVE)
    alice.delete_now(f"/v1/users/{dave}")

    for name in ("dave", "DAVE"):
        answer = alice.post("/v1/users", json={"username": name})
        assert (answer.status_code, answer.json["code"]) == (409, "user.username_taken")


def test_dave_cannot_be_deleted_twice_nor_changed_nor_given_anything_afterwards(stage: Stage) -> None:
    alice, path = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}"
    tag = {"If-Match": alice.get(path).headers["ETag"]}
    alice.delete(path, headers=tag)

    answers = [
        alice.delete(path, headers=tag),
        alice.patch(path, json={"status": "active"}, headers=tag),
        alice.post(f"{path}/password-reset"),
        alice.put(f"{path}/roles/auditor"),
        alice.delete(f"{path}/roles/auditor"),
        alice.get(f"{path}/roles"),
        alice.get(f"{path}/sessions"),
        alice.delete(f"{path}/sessions"),
    ]

    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {(404, "user.not_found")}


def test_dave_deletes_neither_others_nor_himself(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    for somebody in (DAVE, BOB):
        answer = dave.delete(f"/v1/users/{stage.user_id(somebody)}", headers={"If-Match": '"any"'})
        assert (answer.status_code, answer.json["required"]) == (403, "users:delete")


def test_what_the_documents_say_of_a_deleted_user_is_what_is_kept(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.user_id(DAVE)
    alice.patch_now(f"/v1/users/{dave}", {"email": "dave@example.com", "display_name": "Dave Duck"})
    alice.delete_now(f"/v1/users/{dave}")

    ((username, email, display_name),) = stage.query(
        "SELECT username, email, display_name FROM users WHERE username_canonical = 'dave'"
    )
    assert (username, email, display_name) == ("dave", None, None)
    kept = " ".join(
        str(event["before"]) + str(event["after"])
        for event in stage.events()
        if event["target_name"] == "dave"
    )
    assert {"dave@example.com", "Dave Duck"} <= {
        text for text in ("dave@example.com", "Dave Duck") if text in kept
    }
    said = " ".join((ROOT / "docs" / "security.md").read_text(encoding="utf-8").split())
    assert (
        "removes mail address and display name from the account and keeps the username; the trail keeps all three"
        in said
    )
    described = stage.app.extensions["rbac-openapi"].document()["paths"]["/v1/users/{user_id}"]["delete"][
        "description"
    ]
    assert "the username, e-mail address and display name in them" in " ".join(described.split())
