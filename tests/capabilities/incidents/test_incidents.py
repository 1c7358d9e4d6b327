"""What somebody should look at: noticed once, with both parties side by side, however often it is repeated."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import event
from time_machine import Traveller

from rbac_api.guard.incidents import detection as alarms
from rbac_api.guard.incidents.repetitions import QUIET_SECONDS
from rbac_api.observability.metrics import ALARMS, INCIDENTS
from tests.builders import Caller, Stage
from tests.capabilities.signin.crowd import refresh, together
from tests.cast import ALICE, BOB, CAROL, DAVE, MALLORY, PASSWORD
from tests.patience import without_looks

HERS, THEIRS = {"REMOTE_ADDR": "203.0.113.7"}, {"REMOTE_ADDR": "198.51.100.9"}
EVERY = ("refresh-reuse", "stale-use", "lockout")


def present(stage: Stage, token: str, whence: dict[str, str] = THEIRS, agent: str = "thief/1.0") -> Any:
    body, headers = {"refresh_token": token}, {"User-Agent": agent}
    return stage.caller().client.post("/v1/auth/refresh", json=body, environ_base=whence, headers=headers)


def ask(caller: Caller, path: str = "/v1/me", agent: str = "thief/1.0") -> Any:
    headers = {**caller.headers, "User-Agent": agent}
    return caller.client.get(path, headers=headers, environ_base=THEIRS)


def sign_in(stage: Stage, password: str = PASSWORD, agent: str = "hers/2.0") -> Any:
    body = {"username": "dave", "password": password}
    return stage.caller().client.post(
        "/v1/auth/login", json=body, environ_base=HERS, headers={"User-Agent": agent}
    )


def dave_at_home(stage: Stage) -> Caller:
    caller = stage.caller()
    caller.tokens = sign_in(stage).json
    return caller


def is_robbed(stage: Stage) -> dict[str, Any]:
    """Somebody comes with a refresh token that Dave has spent; Dave's tokens."""
    tokens: dict[str, Any] = sign_in(stage).json
    newer = present(stage, tokens["refresh_token"], HERS, "hers/2.0").json["refresh_token"]
    present(stage, newer, HERS, "hers/2.0")
    assert present(stage, tokens["refresh_token"]).json["code"] == "token.reused"
    return tokens


def uses_a_dead_token(stage: Stage) -> Caller:
    dave = dave_at_home(stage)
    stage.as_(ALICE).delete(f"/v1/sessions/{dave.tokens['session_id']}")
    assert ask(dave).json["code"] == "token.revoked"
    return dave


def is_locked_out(stage: Stage, frozen: Traveller, username: str = "dave") -> None:
    body = {"username": username, "password": "wrong"}
    for _ in range(10):
        stage.caller().client.post(
            "/v1/auth/login", json=body, environ_base=THEIRS, headers={"User-Agent": "thief/1.0"}
        )
        frozen.shift(61)


def quiet_passes(stage: Stage) -> None:
    """What was noticed lies a little more than the quiet time back."""
    for kept in stage.guard.repeated._counted.values():
        kept.until -= QUIET_SECONDS


def listed(stage: Stage, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stage.as_(CAROL).get(f"/v1/incidents?{query}").json["items"]
    return found


def only(stage: Stage, query: str = "") -> dict[str, Any]:
    (found,) = listed(stage, query)
    return found


def test_carol_sees_who_spent_the_refresh_token_and_who_came_with_it_again(stage: Stage) -> None:
    tokens = is_robbed(stage)

    found = only(stage)

    assert (found["type"], found["state"], found["occurrences"]) == ("refresh-reuse", "open", 1)
    assert found["user"] == {"id": stage.user_id(DAVE), "username": "dave"}
    assert found["session_id"] == tokens["session_id"]
    hers, theirs = found["rightful"], found["other"]
    assert (hers["ip"], hers["user_agent"]) == ("203.0.113.7", "hers/2.0")
    assert (theirs["ip"], theirs["user_agent"]) == ("198.51.100.9", "thief/1.0")
    records = stage.as_(CAROL).get(f"/v1/sessions/{tokens['session_id']}/refresh-tokens").json["items"]
    assert hers["at"] == records[0]["spent_at"] < theirs["at"] == found["opened_at"]
    assert (found["closed_at"], found["closed_by"], found["close_reason"]) == (None, None, None)


@pytest.mark.large
def test_reuse_repeated_a_thousand_times_is_one_incident_and_one_event(stage: Stage) -> None:
    tokens = is_robbed(stage)
    before = len(stage.events())

    for _ in range(1000):
        assert present(stage, tokens["refresh_token"]).status_code == 401

    assert len(stage.events("incident.opened")) == len(stage.events("token.reused")) == 1
    assert len(stage.events()) == before
    assert only(stage)["occurrences"] == 1
    quiet_passes(stage)
    present(stage, tokens["refresh_token"])
    assert only(stage)["occurrences"] == 1002
    assert len(stage.events("incident.opened")) == 1


def test_a_dead_token_that_is_still_used_is_an_incident(stage: Stage) -> None:
    dave = uses_a_dead_token(stage)

    found = only(stage, "type=stale-use")

    assert found["session_id"] == dave.tokens["session_id"]
    assert (found["rightful"]["ip"], found["rightful"]["user_agent"]) == ("203.0.113.7", "hers/2.0")
    assert (found["other"]["ip"], found["other"]["user_agent"]) == ("198.51.100.9", "thief/1.0")


def test_a_token_of_somebody_who_was_disabled_is_one_too(stage: Stage) -> None:
    dave, alice = dave_at_home(stage), stage.as_(ALICE)
    alice.patch_now(f"/v1/users/{stage.user_id(DAVE)}", {"status": "disabled"})

    ask(dave)

    assert only(stage)["user"]["username"] == "dave"


def test_one_token_that_was_revoked_by_itself_is_dead_too(stage: Stage) -> None:
    dave = dave_at_home(stage)
    form = {"token": dave.tokens["access_token"]}
    assert dave.client.post("/oauth/revoke", data=form, headers=dave.headers).status_code == 200

    ask(dave)

    assert only(stage)["session_id"] == dave.tokens["session_id"]


def test_a_dead_token_is_noticed_where_programs_speak_oauth_too(stage: Stage) -> None:
    dave = dave_at_home(stage)
    dave.post("/v1/auth/logout")

    answer = dave.client.post("/oauth/introspect", data={"token": "x"}, headers=dave.headers)

    assert answer.status_code == 401
    assert only(stage)["type"] == "stale-use"


def test_a_flood_of_dead_tokens_costs_no_statement(stage: Stage) -> None:
    dave = uses_a_dead_token(stage)
    statements: list[str] = []

    @event.listens_for(stage.database.engine, "before_cursor_execute")
    def note(*told: Any) -> None:
        statements.append(told[2])

    try:
        assert {ask(dave).status_code for _ in range(500)} == {401}
    finally:
        event.remove(stage.database.engine, "before_cursor_execute", note)

    asked = without_looks(stage.engine, statements)
    assert len(asked) <= 3, "one look at the trail, in which the incident stands now"
    assert not [statement for statement in asked if "INSERT" in statement or "UPDATE" in statement]
    quiet_passes(stage)
    ask(dave)
    assert only(stage)["occurrences"] == 502


def test_what_verifies_nowhere_is_no_incident(stage: Stage, frozen: Traveller) -> None:
    dave, gone = dave_at_home(stage), dave_at_home(stage)
    gone.post("/v1/auth/logout")
    head, body, _ = gone.tokens["access_token"].split(".")
    forged, foreign = stage.caller(), stage.caller()
    forged.tokens = {"access_token": f"{head}.{body}.{'A' * 86}"}
    foreign.tokens = {"access_token": "not.a.token"}
    frozen.shift(901)

    answers = [ask(caller).json["code"] for caller in (dave, gone, forged, foreign, stage.caller())]

    assert answers == ["token.expired"] * 2 + ["token.invalid"] * 2 + ["token.missing"]
    assert listed(stage) == []


def test_a_role_that_only_the_token_still_claims_is_an_incident(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    path = f"/v1/users/{stage.user_id(DAVE)}/roles/auditor"
    alice.put(path)
    dave = dave_at_home(stage)
    alice.delete(path)

    refused = ask(dave, "/v1/users")
    ask(dave, "/v1/users")

    assert (refused.status_code, refused.headers["Authz-Stale"]) == (403, "true")
    found = only(stage)
    assert (found["occurrences"], len(stage.events("access.refused"))) == (1, 1)
    assert (found["type"], found["session_id"]) == ("stale-use", dave.tokens["session_id"])
    assert found["other"]["ip"] == "198.51.100.9"


def test_a_token_of_a_session_that_was_never_here_is_about_nobody(stage: Stage) -> None:
    dave = dave_at_home(stage)
    stage.execute("DELETE FROM refresh_tokens", "DELETE FROM sessions")  # a backup from before was restored

    assert ask(dave).json["code"] == "token.revoked"
    assert listed(stage) == []


def test_a_refusal_that_the_claims_do_not_explain_is_none(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), dave_at_home(stage)
    ask(dave, "/v1/users")
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/role-manager")  # the token is stale, yet claims less

    ask(dave, "/v1/audit/events")

    assert listed(stage) == []
    assert len(stage.events("access.refused")) == 2


def test_an_account_that_was_locked_is_an_incident_with_the_last_good_sign_in_beside_it(
    stage: Stage, frozen: Traveller
) -> None:
    dave_at_home(stage)
    is_locked_out(stage, frozen)

    found = only(stage, "type=lockout")

    assert (found["user"]["username"], found["session_id"]) == ("dave", None)
    assert (found["rightful"]["ip"], found["other"]["ip"]) == ("203.0.113.7", "198.51.100.9")
    assert len(stage.events("signin.locked")) == 1


def test_a_lock_after_the_lock_counts_on_the_same_incident(stage: Stage, frozen: Traveller) -> None:
    is_locked_out(stage, frozen)
    frozen.shift(900)
    sign_in(stage, "wrong")

    found = only(stage)

    assert (found["occurrences"], found["rightful"]) == (2, {"ip": None, "user_agent": None, "at": None})


def test_a_name_that_is_nobodys_is_no_incident(stage: Stage, frozen: Traveller) -> None:
    is_locked_out(stage, frozen, "nobody")

    assert len(stage.events("signin.locked")) == 1
    assert listed(stage) == []


def test_the_event_says_what_the_incident_says_and_no_token(stage: Stage) -> None:
    tokens = is_robbed(stage)
    (opened,) = stage.events("incident.opened")
    found = only(stage)

    told = json.loads(opened["after"])
    assert (opened["target_id"], opened["reason"], opened["outcome"]) == (
        found["id"],
        "refresh-reuse",
        "refused",
    )
    assert told["user"]["username"] == "dave"
    assert (told["rightful"]["ip"], told["other"]["user_agent"]) == ("203.0.113.7", "thief/1.0")
    for part in (part for name in ("access_token", "refresh_token") for part in tokens[name].split(".")[1:]):
        assert part not in json.dumps([opened, found], default=str)


def test_of_many_who_use_it_at_once_there_is_one_incident(stage: Stage, nodes: list[Stage]) -> None:
    dave = dave_at_home(stage)
    stage.as_(ALICE).delete(f"/v1/sessions/{dave.tokens['session_id']}")
    callers = []
    for number in range(8):
        caller = nodes[number % len(nodes)].caller()
        caller.tokens = dave.tokens
        callers.append(caller)

    together(8, lambda number: ask(callers[number]))

    assert only(stage)["occurrences"] <= len(nodes)
    assert len(stage.events("incident.opened")) == 1


def test_without_a_database_a_dead_token_is_refused_all_the_same(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    dave = dave_at_home(stage)
    dave.post("/v1/auth/logout")
    ask(stage.as_(ALICE))
    stage.guard.snapshot.session(dave.tokens["session_id"])

    def broken() -> Any:
        raise alarms.Unavailable

    monkeypatch.setattr(stage.database, "writing", broken)

    assert [ask(dave).json["code"] for _ in range(2)] == ["token.revoked"] * 2


def test_the_figures_count_each_time_and_each_incident(stage: Stage, frozen: Traveller) -> None:
    def figures() -> list[float]:
        return [metric.labels(kind)._value.get() for metric in (ALARMS, INCIDENTS) for kind in EVERY]

    before = figures()
    tokens = is_robbed(stage)
    present(stage, tokens["refresh_token"])
    dave = uses_a_dead_token(stage)
    for _ in range(3):
        ask(dave)
    is_locked_out(stage, frozen)

    assert [after - was for was, after in zip(before, figures(), strict=True)] == [2, 4, 1, 1, 1, 1]
    text = stage.caller().get("/metrics").text
    assert 'rbac_incidents_total{type="stale-use"}' in text
    assert 'rbac_alarms_total{type="refresh-reuse"}' in text


def test_every_type_is_filtered_paged_and_counted(stage: Stage, frozen: Traveller) -> None:
    is_robbed(stage)
    frozen.shift(1)
    uses_a_dead_token(stage)
    is_locked_out(stage, frozen)
    carol = stage.as_(CAROL)

    first = carol.get("/v1/incidents?limit=2&count=true").json
    second = carol.get(f"/v1/incidents?limit=2&count=true&cursor={first['next']}").json

    assert [item["type"] for page in (first, second) for item in page["items"]] == list(reversed(EVERY))
    assert (first["total"], second["next"]) == (3, None)
    for kind in EVERY:
        assert only(stage, f"type={kind}")["type"] == kind
    assert carol.get(f"/v1/incidents/{first['items'][0]['id']}").json == first["items"][0]


@pytest.mark.parametrize("query", ["type=", "type=theft", "state=all", "user=dave", "limit=0", "cursor=x"])
def test_a_filter_that_is_not_understood_is_refused(stage: Stage, query: str) -> None:
    assert stage.as_(CAROL).get(f"/v1/incidents?{query}").status_code == 422


def test_who_may_not_see_sessions_sees_no_incident(stage: Stage) -> None:
    is_robbed(stage)
    found = only(stage)

    for path in ("/v1/incidents", f"/v1/incidents/{found['id']}"):
        assert stage.as_(DAVE).get(path).json["required"] == "sessions:read"
    assert stage.as_(CAROL).get(f"/v1/incidents/{stage.user_id(BOB)}").json["code"] == "incident.not_found"


def test_nobody_of_the_cast_opens_one_by_behaving(stage: Stage) -> None:
    for person in (ALICE, BOB, CAROL, DAVE):
        caller = stage.as_(person)
        refresh(stage, caller.tokens["refresh_token"])
        caller.get("/v1/users")
        caller.post("/v1/auth/logout")

    assert MALLORY.disabled
    assert listed(stage) == []
