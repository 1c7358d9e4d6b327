"""Creating users: with a setup token or a temporary password, never with a role."""

import pytest

from tests.builders import Stage
from tests.cast import ALICE, BOB, DAVE, NEW_PASSWORD, PASSWORD

ERIN = {"username": "Erin", "email": "erin@example.com", "display_name": "Erin Ödegård"}


def test_bob_creates_erin_who_holds_nothing_and_has_a_token_for_choosing_her_password(stage: Stage) -> None:
    bob = stage.as_(BOB)

    created = bob.post("/v1/users", json=ERIN)

    assert created.status_code == 201
    assert created.headers["Location"] == f"/v1/users/{created.json['id']}"
    assert created.json["password_setup"]["token"].startswith("rbac-setup-")
    found = bob.get(created.headers["Location"])
    assert found.headers["ETag"] == created.headers["ETag"]
    assert found.json == {name: value for name, value in created.json.items() if name != "password_setup"}
    assert bob.get(f"{created.headers['Location']}/roles").json == {
        "direct": [],
        "effective": [],
        "permissions": [],
    }


def test_erin_chooses_her_password_and_signs_in_under_any_spelling_of_her_name(stage: Stage) -> None:
    token = stage.as_(BOB).post("/v1/users", json=ERIN).json["password_setup"]["token"]

    answer = stage.caller().post(
        "/v1/auth/password-setup", json={"token": token, "new_password": NEW_PASSWORD}
    )

    assert answer.status_code == 204
    me = stage.as_("ERIN", NEW_PASSWORD).get("/v1/me").json
    assert (me["username"], me["password_change_required"], me["permissions"]) == ("Erin", False, [])


def test_erin_must_replace_a_password_that_bob_chose_before_anything_else(stage: Stage) -> None:
    body = {**ERIN, "password": PASSWORD}
    created = stage.as_(BOB).post("/v1/users", json=body)
    assert "password_setup" not in created.json
    erin = stage.as_("erin")

    assert erin.tokens["password_change_required"] is True
    refused = erin.get("/v1/me/sessions")
    assert (refused.status_code, refused.json["code"]) == (403, "password.change_required")
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    assert erin.post("/v1/me/password", json=change).status_code == 204
    assert erin.get("/v1/me/sessions").status_code == 200


@pytest.mark.parametrize("spelling", ["dave", "DAVE", "ＤＡＶＥ", "ᵈᵃᵛᵉ"])
def test_daves_name_is_taken_in_every_form(stage: Stage, spelling: str) -> None:
    answer = stage.as_(BOB).post("/v1/users", json={"username": spelling})

    assert (answer.status_code, answer.json["code"]) == (409, "user.username_taken")


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"username": " erin"}, "/username", "username.invalid"),
        ({"username": "er\u202ein"}, "/username", "username.invalid"),
        ({"username": ""}, "/username", "field.invalid"),
        ({"username": "x" * 129}, "/username", "field.invalid"),
        ({"email": "nowhere"}, "/email", "field.invalid"),
        ({"password": "short"}, "/password", "password.too_short"),
        ({"roles": ["admin"]}, "/roles", "field.unknown"),
        ({"status": "active"}, "/status", "field.unknown"),
    ],
)
def test_bob_is_told_which_field_is_wrong(
    stage: Stage, change: dict[str, str], pointer: str, code: str
) -> None:
    answer = stage.as_(BOB).post("/v1/users", json={**ERIN, **change})

    assert answer.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in answer.json["errors"]] == [(pointer, code)]
    assert len(stage.events("user.created")) == 6


def test_the_trail_says_who_created_erin_and_keeps_no_secret(stage: Stage) -> None:
    created = stage.as_(ALICE).post("/v1/users", json={**ERIN, "password": PASSWORD}).json

    event = stage.events("user.created")[-1]
    assert (event["actor_name"], event["target_id"], event["target_name"]) == ("alice", created["id"], "Erin")
    assert "erin@example.com" in event["after"]
    assert "hash" not in event["after"]
    assert PASSWORD not in event["after"]


def test_dave_creates_nobody(stage: Stage) -> None:
    assert stage.as_(DAVE).post("/v1/users", json=ERIN).json["required"] == "users:create"
