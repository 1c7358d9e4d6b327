"""The normal course of events raises no alarm: what a user ended herself, and then stumbles over from where she always was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event
from time_machine import Traveller

from rbac_api.guard.incidents import own_terminations as own_endings
from tests.builders import Caller, OpenNode, Stage
from tests.capabilities.activations.scenes import activate, drop, give, take
from tests.capabilities.incidents.test_incidents import THEIRS, ask, dave_at_home, listed, present
from tests.capabilities.second_factor.device import enrolled, strongly
from tests.cast import ALICE, BOB, DAVE, NEW_PASSWORD, PASSWORD
from tests.patience import without_looks

HERE, AGENT = {"REMOTE_ADDR": "203.0.113.7"}, "hers/2.0"
CHANGE = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}


def at_home(caller: Caller, method: str, path: str, whence: str = "203.0.113.7", **more: Any) -> Any:
    headers = {**caller.headers, "User-Agent": AGENT}
    return caller.client.open(
        path, method=method, headers=headers, environ_base={"REMOTE_ADDR": whence}, **more
    )


def incidents(stage: Stage) -> list[str]:
    return [found["type"] for found in listed(stage)]


def choose(stage: Stage, dave: Caller) -> None:
    token = stage.as_(BOB).post(f"/v1/users/{stage.user_id(DAVE)}/password-reset").json["token"]
    at_home(dave, "POST", "/v1/auth/password-setup", json={"token": token, "new_password": NEW_PASSWORD})


ENDINGS: dict[str, Callable[[Caller, Caller], Any]] = {
    "signing out": lambda here, there: at_home(here, "POST", "/v1/auth/logout"),
    "a double click": lambda here, there: [at_home(here, "POST", "/v1/auth/logout") for _ in range(2)],
    "ending it from another device": lambda here, there: at_home(
        there, "DELETE", f"/v1/me/sessions/{here.tokens['session_id']}", "198.51.100.77"
    ),
    "signing out everywhere": lambda here, there: at_home(
        there, "DELETE", "/v1/me/sessions", "198.51.100.77"
    ),
    "signing out everywhere else": lambda here, there: at_home(
        there, "DELETE", "/v1/me/sessions?keep=current"
    ),
    "another password": lambda here, there: at_home(there, "POST", "/v1/me/password", json=CHANGE),
    "revoking the token": lambda here, there: at_home(
        here, "POST", "/oauth/revoke", data={"token": here.tokens["access_token"]}
    ),
    "revoking the refresh token": lambda here, there: at_home(
        here, "POST", "/oauth/revoke", data={"token": here.tokens["refresh_token"]}
    ),
}


@pytest.mark.parametrize("ending", sorted(ENDINGS))
def test_what_dave_ended_himself_is_no_alarm_where_he_was_and_is_one_elsewhere(
    stage: Stage, ending: str
) -> None:
    here, there = dave_at_home(stage), dave_at_home(stage)
    ENDINGS[ending](here, there)

    for _ in range(3):
        assert at_home(here, "GET", "/v1/me").json["code"] == "token.revoked"
        assert at_home(here, "POST", "/v1/roles", json={}).status_code == 401
        assert at_home(here, "POST", "/oauth/introspect", data={"token": "x"}).status_code == 401
    assert incidents(stage) == []

    ask(here)  # from elsewhere

    assert incidents(stage) == ["stale-use"]


@pytest.mark.parametrize("whence", ["203.0.113.7", "198.51.100.9"])
def test_what_an_administrator_ended_is_an_alarm_wherever_it_comes_from(stage: Stage, whence: str) -> None:
    dave = dave_at_home(stage)
    stage.as_(ALICE).delete(f"/v1/sessions/{dave.tokens['session_id']}")

    at_home(dave, "GET", "/v1/me", whence)

    assert incidents(stage) == ["stale-use"]


def test_what_was_ended_for_reuse_is_an_alarm_too(stage: Stage, frozen: Traveller) -> None:
    dave = dave_at_home(stage)
    newer = present(stage, dave.tokens["refresh_token"], HERE, AGENT).json["refresh_token"]
    present(stage, newer, HERE, AGENT)
    present(stage, dave.tokens["refresh_token"])

    at_home(dave, "GET", "/v1/me")

    assert sorted(incidents(stage)) == ["refresh-reuse", "stale-use"]


def test_an_administrator_who_resets_a_password_ended_the_sessions(stage: Stage) -> None:
    dave = dave_at_home(stage)
    choose(stage, dave)

    at_home(dave, "GET", "/v1/me")

    assert incidents(stage) == ["stale-use"]


@pytest.mark.parametrize(
    ("whence", "agent", "same"),
    [
        ("2001:db8:1:2::ffff", AGENT, True),
        ("2001:db8:1:3::1", AGENT, False),
        ("2001:db8:1:2::1", "thief/1.0", False),
    ],
)
def test_an_address_that_changes_within_its_ipv6_network_is_the_same_party(
    stage: Stage, whence: str, agent: str, same: bool
) -> None:
    dave, home = stage.caller(), {"REMOTE_ADDR": "2001:db8:1:2::1"}
    body = {"username": "dave", "password": PASSWORD}
    dave.tokens = dave.client.post(
        "/v1/auth/login", json=body, environ_base=home, headers={"User-Agent": AGENT}
    ).json
    at_home(dave, "POST", "/v1/auth/logout", "2001:db8:1:2::2")

    headers = {**dave.headers, "User-Agent": agent}
    dave.client.get("/v1/me", headers=headers, environ_base={"REMOTE_ADDR": whence})

    assert incidents(stage) == ([] if same else ["stale-use"])


def test_a_session_that_moved_is_known_where_it_was_refreshed_or_left(stage: Stage) -> None:
    refreshed, left = dave_at_home(stage), dave_at_home(stage)
    present(stage, refreshed.tokens["refresh_token"], {"REMOTE_ADDR": "192.0.2.1"}, AGENT)
    at_home(refreshed, "POST", "/v1/auth/logout")
    at_home(left, "POST", "/v1/auth/logout", "192.0.2.2")

    at_home(refreshed, "GET", "/v1/me", "192.0.2.1")
    at_home(left, "GET", "/v1/me", "192.0.2.2")

    assert incidents(stage) == []


def test_the_oldest_of_too_many_sessions_is_no_alarm(node: OpenNode) -> None:
    stage = node(max_sessions=2)
    oldest, *_ = (dave_at_home(stage) for _ in range(3))

    assert at_home(oldest, "GET", "/v1/me").json["code"] == "token.revoked"
    assert incidents(stage) == []
    ask(oldest)
    assert incidents(stage) == ["stale-use"]


def test_a_page_that_polls_on_costs_one_look_and_hides_nobody(stage: Stage) -> None:
    dave, statements = dave_at_home(stage), list[str]()
    at_home(dave, "POST", "/v1/auth/logout")
    at_home(dave, "GET", "/v1/me")

    @event.listens_for(stage.database.engine, "before_cursor_execute")
    def note(*told: Any) -> None:
        statements.append(told[2])

    try:
        for _ in range(100):
            at_home(dave, "GET", "/v1/me")
    finally:
        event.remove(stage.database.engine, "before_cursor_execute", note)
    assert without_looks(stage.engine, statements) == []
    ask(dave)
    at_home(dave, "GET", "/v1/me")
    (found,) = listed(stage)
    assert (found["other"]["ip"], found["occurrences"]) == (THEIRS["REMOTE_ADDR"], 1)


def test_a_second_factor_that_bob_removed_is_no_alarm_about_roles_that_asked_for_it(
    stage: Stage, frozen: Traveller
) -> None:
    alice = stage.as_(ALICE)
    alice.patch_now("/v1/roles/role-manager", {"requires_mfa": True})
    device = enrolled(stage.as_(BOB))
    bob = strongly(stage, BOB, device.code(1))
    assert bob.get("/v1/users").status_code == 200

    assert bob.delete("/v1/me/totp").status_code == 204
    refused = bob.get("/v1/users")

    assert (refused.status_code, refused.headers["Authz-Stale"]) == (403, "true")
    assert incidents(stage) == []
    thief = {**bob.headers, "User-Agent": "thief/1.0"}
    bob.client.get("/v1/users", headers=thief, environ_base=THEIRS)
    assert incidents(stage) == ["stale-use"]


def test_a_role_that_dave_dropped_himself_is_no_alarm_and_one_that_was_taken_is(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    give(alice, DAVE, "auditor", mode="eligible")
    dave = dave_at_home(stage)
    activate(dave, "auditor")
    dave.tokens = present(stage, dave.tokens["refresh_token"], HERE, AGENT).json
    assert at_home(dave, "GET", "/v1/users").status_code == 200
    drop(dave, "auditor")

    assert at_home(dave, "GET", "/v1/users").status_code == 403
    assert incidents(stage) == []

    take(alice, DAVE, "auditor")
    at_home(dave, "GET", "/v1/users")
    assert incidents(stage) == ["stale-use"]


def test_only_so_many_parties_are_remembered(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_endings, "MAX_REMEMBERED", 1)
    for _ in range(3):
        dave = dave_at_home(stage)
        at_home(dave, "POST", "/v1/auth/logout")
        at_home(dave, "GET", "/v1/me")

    assert len(stage.guard.alarms._own._known) == 1
    assert incidents(stage) == []
