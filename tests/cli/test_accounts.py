"""`create-admin` and `recover-admin`: the way back in, and what it leaves in the trail."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from rbac_api.settings import Settings
from tests.builders import Stage
from tests.capabilities.second_factor.device import enrolled
from tests.cast import ALICE, BOB, MALLORY, NEW_PASSWORD, PASSWORD
from tests.cli.conftest import Shell


@pytest.fixture
def bare(stage: Stage, shell_with: Callable[[Settings], Shell]) -> Shell:
    """A shell where RBAC_ADMIN_PASSWORD is not set."""
    return shell_with(replace(stage.settings, admin_password=""))


def sign_in(stage: Stage, username: str, password: str) -> dict[str, object]:
    return stage.as_(username, password).tokens


def test_a_new_administrator_gets_a_one_time_password_and_must_choose_her_own(
    stage: Stage, bare: Shell
) -> None:
    made = bare.json("create-admin", "erin")
    assert sign_in(stage, "erin", made["one_time_password"])["password_change_required"] is True
    (event,) = [e for e in stage.events("admin.created") if e["target_name"] == "erin"]
    assert event["actor_type"] == "operator"


def test_the_one_time_password_is_shown_to_people_too(bare: Shell) -> None:
    said = bare("create-admin", "erin").stdout
    assert "Administrator: erin\n" in said
    assert "One-time password: " in said


def test_a_password_from_the_settings_is_final_and_not_repeated(stage: Stage, shell: Shell) -> None:
    result = shell("create-admin", "erin")
    assert PASSWORD not in result.output
    assert "with the password you gave" in result.stdout
    assert sign_in(stage, "erin", PASSWORD)["password_change_required"] is False
    assert stage.as_("erin").get("/v1/roles").status_code == 200


def test_a_password_typed_at_the_terminal_is_asked_for_twice_and_final(stage: Stage, bare: Shell) -> None:
    result = bare("create-admin", "erin", "--ask-password", typed=f"{NEW_PASSWORD}\n{NEW_PASSWORD}\n")
    assert result.exit_code == 0
    assert NEW_PASSWORD not in result.output
    assert sign_in(stage, "erin", NEW_PASSWORD)["password_change_required"] is False


def test_a_weak_password_is_refused_with_the_rule(bare: Shell) -> None:
    result = bare("create-admin", "erin", "--ask-password", typed="short\nshort\n")
    assert result.exit_code == 1
    assert "at least 15 characters" in result.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [("ALICE", "is or was in use"), ("operator-made", "is or was"), (" x", "space")],
)
def test_a_name_that_cannot_be_given_is_refused(stage: Stage, shell: Shell, name: str, said: str) -> None:
    before = len(stage.events())
    assert said in shell.refusal("create-admin", name)
    assert len(stage.events()) == before


def test_a_disabled_user_is_recovered_as_an_administrator(stage: Stage, shell: Shell) -> None:
    recovered = shell.json("recover-admin", "Mallory")
    mallory = stage.as_(MALLORY, recovered["one_time_password"])
    assert mallory.tokens["password_change_required"] is True
    assert "admin" in mallory.get("/v1/me").json["roles"]
    (event,) = stage.events("admin.recovered")
    assert (event["actor_type"], event["target_id"]) == ("operator", stage.user_id(MALLORY))
    assert recovered["one_time_password"] not in json.dumps(stage.events(), default=str)


@pytest.mark.parametrize(
    "terms",
    [{"mode": "eligible"}, {"expires_at": "2099-01-01T00:00:00Z"}, {"starts_at": "2099-01-01T00:00:00Z"}],
)
def test_an_administrator_for_a_time_is_recovered_for_good(
    stage: Stage, shell: Shell, terms: dict[str, str]
) -> None:
    stage.as_(ALICE).put(f"/v1/users/{stage.user_id(BOB)}/roles/admin", json=terms)
    stage.execute("UPDATE users SET status = 'disabled' WHERE username = 'alice'")

    recovered = shell.json("recover-admin", "bob")

    bob = stage.as_(BOB, recovered["one_time_password"])
    assert "admin" in bob.get("/v1/me").json["roles"]
    row = "SELECT valid_to FROM assignments WHERE valid_to IS NULL AND mode = 'active' AND reason = 'recovered by the operator'"
    assert stage.query(row) == [(None,)]


def test_recovery_ends_the_sessions_and_the_old_password(stage: Stage, shell: Shell) -> None:
    alice = stage.as_(ALICE)
    shell("recover-admin", "alice")
    assert alice.get("/v1/me").json["code"] == "token.revoked"
    answer = stage.caller().post("/v1/auth/login", json={"username": "alice", "password": PASSWORD})
    assert answer.status_code == 401


def test_recovery_lifts_the_lock_after_failed_signins(stage: Stage, shell: Shell) -> None:
    for _ in range(stage.settings.signin_lock_failures):
        stage.execute("UPDATE signin_attempts SET blocked_until = NULL")
        stage.caller().post("/v1/auth/login", json={"username": "bob", "password": "wrong horse battery 1"})
    assert stage.events("signin.locked")
    recovered = shell.json("recover-admin", "bob")
    assert sign_in(stage, "bob", recovered["one_time_password"])


@pytest.mark.parametrize("option", [[], ["--setup-token"]], ids=["password", "setup token"])
def test_recovery_removes_a_second_factor_that_may_be_lost(
    stage: Stage, shell: Shell, option: list[str]
) -> None:
    enrolled(stage.as_(BOB))

    recovered = shell.json("recover-admin", "bob", *option)

    if option:
        body = {"token": recovered["setup_token"], "new_password": NEW_PASSWORD}
        assert stage.caller().post("/v1/auth/password-setup", json=body).status_code == 204
    assert sign_in(stage, "bob", NEW_PASSWORD if option else recovered["one_time_password"])
    (event,) = stage.events("totp.removed")
    assert (event["actor_type"], event["target_name"]) == ("operator", "bob")


def test_recovery_by_setup_token_lets_her_choose_the_password(stage: Stage, shell: Shell) -> None:
    token = shell.json("recover-admin", "bob", "--setup-token")["setup_token"]
    body = {"token": token, "new_password": NEW_PASSWORD}
    assert stage.caller().post("/v1/auth/password-setup", json=body).status_code == 204
    assert sign_in(stage, "bob", NEW_PASSWORD)["password_change_required"] is False
    assert stage.events("admin.recovered")


def test_a_setup_token_is_shown_to_people_too(shell: Shell) -> None:
    said = shell("recover-admin", "bob", "--setup-token").stdout
    assert "Setup token: rbac-setup-" in said
    assert "password-setup" in said


def test_the_only_administrator_is_not_recovered_by_setup_token(stage: Stage, shell: Shell) -> None:
    before = len(stage.events())
    assert "no user who can sign in" in shell.refusal("recover-admin", "alice", "--setup-token")
    assert len(stage.events()) == before
    assert stage.as_(ALICE).get("/v1/me").status_code == 200


@pytest.mark.parametrize(("name", "said"), [("nobody", "no user"), ("operator-made", "was deleted")])
def test_who_does_not_exist_cannot_be_recovered(shell: Shell, name: str, said: str) -> None:
    assert said in shell.refusal("recover-admin", name)


def test_recovering_bob_gives_him_the_role_once(stage: Stage, shell: Shell) -> None:
    shell("recover-admin", BOB.username)
    shell("recover-admin", BOB.username)
    given = [e for e in stage.events("assignment.created") if e["target_id"] == stage.user_id(BOB)]
    assert len([e for e in given if e["actor_type"] == "operator" and "admin" in e["after"]]) == 1
