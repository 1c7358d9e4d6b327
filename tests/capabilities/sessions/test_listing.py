"""What the auditor sees of everybody's sessions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from time_machine import Traveller

from rbac_api.errors import ServiceError
from tests.builders import Caller, OpenNode, Stage
from tests.capabilities.signin.crowd import refresh
from tests.cast import ALICE, BOB, CAROL, DAVE, PASSWORD


def names(caller: Caller, query: str = "") -> list[str]:
    """Whose sessions a query lists."""
    answer = caller.get(f"/v1/sessions?{query}")
    assert answer.status_code == 200, answer.json
    return [item["user"]["username"] for item in answer.json["items"]]


def moment_before(moment: str) -> str:
    """A microsecond earlier, as a query argument."""
    return (datetime.fromisoformat(moment) - timedelta(microseconds=1)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_carol_sees_who_is_signed_in_newest_first(stage: Stage) -> None:
    carol, dave, bob = stage.as_(CAROL), stage.as_(DAVE), stage.as_(BOB)

    answer = carol.get("/v1/sessions").json

    assert [item["id"] for item in answer["items"]] == [c.tokens["session_id"] for c in (bob, dave, carol)]
    assert answer["next"] is None
    assert "total" not in answer
    session = answer["items"][1]
    assert (session["state"], session["ip"], session["client_id"]) == ("active", "127.0.0.1", "first-party")
    assert (session["ended_at"], session["ended_by"], session["end_reason"]) == (None, None, None)


def test_dave_may_not_see_who_is_signed_in(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    address = f"/v1/sessions/{dave.tokens['session_id']}"

    for path in (
        "/v1/sessions",
        address,
        f"{address}/refresh-tokens",
        f"/v1/users/{stage.user_id(DAVE)}/sessions",
    ):
        assert dave.get(path).json["required"] == "sessions:read"


def test_no_answer_about_sessions_carries_a_token(stage: Stage) -> None:
    carol, dave = stage.as_(CAROL), stage.as_(DAVE)
    address = f"/v1/sessions/{dave.tokens['session_id']}"

    shown = [carol.get(path).text for path in ("/v1/sessions", address, f"{address}/refresh-tokens")]

    for token in (dave.tokens["access_token"], dave.tokens["refresh_token"]):
        assert all(part not in text for part in token.split(".") for text in shown)


def test_carol_pages_through_the_sessions_and_counts_them(stage: Stage) -> None:
    for _ in range(4):
        stage.as_(DAVE)
    carol = stage.as_(CAROL)
    first = carol.get("/v1/sessions?limit=3&count=true")

    stage.as_(DAVE)  # comes in while she turns the page, and moves nothing
    second = carol.get(f"/v1/sessions?limit=3&count=true&cursor={first.json['next']}")

    found = [item["id"] for page in (first, second) for item in page.json["items"]]
    assert len(set(found)) == len(found) == 5
    assert (first.json["total"], second.json["total"], second.json["next"]) == (5, 6, None)
    assert 'rel="next"' in first.headers["Link"]
    assert "Link" not in second.headers


def test_carol_filters_by_state(stage: Stage) -> None:
    carol, dave, bob = stage.as_(CAROL), stage.as_(DAVE), stage.as_(BOB)
    dave.post("/v1/auth/logout")

    found = {state: names(carol, f"state={state}") for state in ("active", "ended", "all")}

    assert found == {"active": ["bob", "carol"], "ended": ["dave"], "all": ["bob", "dave", "carol"]}
    assert bob.get("/v1/sessions?state=dead").status_code == 422


@pytest.mark.parametrize(
    "spelling",
    ["dave", "DAVE", " dave", "{id}", "{ID}"],
)
def test_carol_filters_by_user(stage: Stage, spelling: str) -> None:
    carol, user_id = stage.as_(CAROL), stage.user_id(DAVE)
    stage.as_(DAVE)

    user = spelling.replace("{id}", user_id).replace("{ID}", user_id.upper())

    assert names(carol, f"user={quote(user)}") == ["dave"]


@pytest.mark.parametrize(
    "nobody",
    ["zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz", "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57", "%", "d_ve", "-" * 36],
)
def test_a_user_that_is_nobody_has_no_sessions(stage: Stage, nobody: str) -> None:
    assert names(stage.as_(CAROL), f"user={quote(nobody)}") == []


def test_a_person_whose_name_looks_like_an_id_is_found_by_it(stage: Stage) -> None:
    name, alice = "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57", stage.as_(ALICE)
    alice.post("/v1/users", json={"username": name, "password": PASSWORD})
    stage.as_(name)

    assert names(alice, f"user={name}") == [name]


def test_carol_filters_by_the_role_that_users_effectively_hold(stage: Stage) -> None:
    carol, alice = stage.as_(CAROL), stage.as_(ALICE)
    stage.as_(BOB)
    alice.post("/v1/roles", json={"name": "apprentice"})
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/apprentice")
    stage.as_(DAVE)

    found = {
        role: names(carol, f"role={role}") for role in ("admin", "apprentice", "role-manager", "no-such-role")
    }

    assert found == {"admin": ["alice"], "apprentice": ["dave"], "role-manager": ["bob"], "no-such-role": []}
    alice.delete(f"/v1/users/{stage.user_id(DAVE)}/roles/apprentice")
    assert names(carol, "role=apprentice") == []


def test_carol_filters_by_address(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    body = {"username": "dave", "password": PASSWORD}
    stage.caller().post("/v1/auth/login", json=body, environ_base={"REMOTE_ADDR": "203.0.113.9"})

    assert names(carol, "ip=203.0.113.9") == ["dave"]
    assert names(carol, "ip=203.0.113.9&user=carol") == []


@pytest.mark.parametrize(
    "written", ["2001:db8::5", "2001:DB8:0:0::5", "2001:db8:0:0:0:0:0:5", "[2001:db8::5]:443"]
)
def test_an_address_is_found_however_it_is_written(stage: Stage, written: str) -> None:
    alice, body = stage.as_(ALICE), {"username": "dave", "password": PASSWORD}
    stage.caller().post("/v1/auth/login", json=body, environ_base={"REMOTE_ADDR": "2001:db8::5"})
    ending = {"filter": {"ip": written}, "reason": "lost phone", "expected_count": 1}

    assert names(alice, f"ip={quote(written)}") == ["dave"]
    assert alice.post("/v1/sessions/revocations", json=ending).json["count"] == 1


@pytest.mark.parametrize("written", ["203.0.113.%", "999.0.0.1", "10.0.0.0/8", "dave", ""])
def test_what_is_no_address_is_refused_instead_of_found_nowhere(stage: Stage, written: str) -> None:
    answer = stage.as_(CAROL).get("/v1/sessions", query_string={"ip": written})

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/ip")
    assert "203.0.113.7" in answer.json["errors"][0]["detail"]


def test_carol_filters_by_time(stage: Stage, frozen: Traveller) -> None:
    carol = stage.as_(CAROL)
    frozen.shift(60)
    dave = stage.as_(DAVE)
    moment = carol.get(f"/v1/sessions/{dave.tokens['session_id']}").json["created_at"]

    assert names(carol, f"created_after={moment}") == []
    assert names(carol, f"created_before={moment}") == ["carol"]
    assert names(carol, f"created_after={moment_before(moment)}") == ["dave"]
    assert names(carol, "created_after=2020-01-01T00:00:00Z&created_before=2020-01-02T00:00:00%2B01:00") == []


@pytest.mark.parametrize(
    "query",
    [
        "state=",
        "stat=all",
        "created_after=yesterday",
        "user=",
        "role=-A",
        "limit=0",
        "cursor=x",
        "state=all&state=all",
    ],
)
def test_a_filter_that_is_not_understood_is_refused(stage: Stage, query: str) -> None:
    assert stage.as_(CAROL).get(f"/v1/sessions?{query}").status_code == 422


def test_a_session_leaves_the_list_at_its_deadline_and_not_before(stage: Stage, frozen: Traveller) -> None:
    frozen.move_to(datetime.now(UTC).replace(microsecond=700_000))
    dave = stage.as_(DAVE).tokens
    frozen.shift(dave["refresh_expires_in"] - 1)
    carol = stage.as_(CAROL)

    for step in (0, 0.2, 0.2, 0.2, 0.2):
        frozen.shift(step)
        listed = "dave" in names(carol)
        assert listed == (refresh_would_work(stage, dave)), step


def refresh_would_work(stage: Stage, tokens: dict[str, Any]) -> bool:
    """Whether a refresh token is still taken for one of ours, without spending it."""
    with stage.app.app_context():
        try:
            stage.guard.bearer.verify_token(tokens["refresh_token"], "refresh")
        except ServiceError:
            return False
    return True


def test_ended_sessions_stay_listed_for_the_retention_time_after_their_end(
    stage: Stage, node: OpenNode, frozen: Traveller
) -> None:
    days = 86_400
    patient = node(retention_days=2, refresh_token_seconds=30 * days, session_seconds=30 * days)
    dave, idle = patient.as_(DAVE), patient.as_(DAVE)
    frozen.shift(5 * days)
    alice = patient.as_(ALICE)
    alice.delete(f"/v1/sessions/{dave.tokens['session_id']}")

    assert names(alice, "state=ended") == ["dave"]
    assert names(alice, "state=all") == ["alice", "dave", "dave"]
    frozen.shift(2 * days + 1)
    assert names(patient.as_(ALICE), "state=ended") == []
    assert refresh(patient, idle.tokens["refresh_token"]).status_code == 200


def test_bobs_sessions_are_found_with_bob(stage: Stage) -> None:
    carol, bob, other = stage.as_(CAROL), stage.as_(BOB), stage.as_(BOB)
    other.post("/v1/auth/logout")

    answer = carol.get(f"/v1/users/{stage.user_id(BOB)}/sessions?count=true").json

    assert [item["id"] for item in answer["items"]] == [bob.tokens["session_id"]]
    assert answer["total"] == 1


def test_a_session_that_does_not_exist_is_not_found(stage: Stage) -> None:
    carol, unknown = stage.as_(CAROL), "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"

    for path in (f"/v1/sessions/{unknown}", f"/v1/sessions/{unknown}/refresh-tokens"):
        assert carol.get(path).json["code"] == "session.not_found"
    assert carol.get(f"/v1/users/{unknown}/sessions").json["code"] == "user.not_found"
