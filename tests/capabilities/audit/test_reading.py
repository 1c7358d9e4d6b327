"""Carol the auditor reads everything, changes nothing, and her reading is taken down."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.builders import Stage
from tests.cast import ALICE, CAROL, DAVE

MEMBERS = {
    "seq", "at", "actor", "session_id", "action", "target", "outcome", "reason", "before", "after", "ip", "request_id", "domain",
    "prev_hash",
    "hash", "personal",
}  # fmt: skip


def test_carol_reads_the_trail_newest_first_and_whole(stage: Stage) -> None:
    carol, there = stage.as_(CAROL), stage.events()

    page = carol.get("/v1/audit/events?limit=200&count=true").json

    assert [item["seq"] for item in page["items"]] == [event["seq"] for event in reversed(there)]
    assert page["total"] == len(there)
    assert set(page["items"][0]) == MEMBERS


def test_that_carol_read_is_taken_down_with_what_she_asked_for_first(stage: Stage) -> None:
    carol = stage.as_(CAROL)

    carol.get("/v1/audit/events?actor=alice&outcome=refused&after=2026-01-01T00:00:00Z&limit=3")
    carol.get("/v1/audit/events/1")
    carol.get("/v1/audit/events?target=dave", headers={"Accept": "application/x-ndjson"})

    told = [(e["action"], e["actor_name"], json.loads(e["after"])) for e in stage.events()[-2:]]
    moment = "2026-01-01T00:00:00.000000Z"
    alice, dave = ({"id": stage.user_id(person), "username": person.username} for person in (ALICE, DAVE))
    assert told == [
        ("audit.read", "carol", {"actor": alice, "outcome": "refused", "after": moment}),
        ("audit.exported", "carol", {"target": dave, "form": "ndjson"}),
    ]


def test_carol_reads_one_event(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    listed = carol.get("/v1/audit/events?limit=1").json["items"][0]

    assert carol.get(f"/v1/audit/events/{listed['seq']}").json == listed


@pytest.mark.parametrize(
    "seq", ["0", "999999", str((1 << 63) - 1), str(1 << 63), "9" * 30, "٣", "-1", "1_0", "1e3", "%00", "1;x"]
)
def test_an_event_that_is_not_there_is_not_found(stage: Stage, seq: str) -> None:
    assert stage.as_(CAROL).get(f"/v1/audit/events/{seq}").status_code == 404


def test_dave_reads_none_of_it(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    for path in ("/v1/audit/events", "/v1/audit/events/1"):
        for accept in ("application/json", "text/csv"):
            assert dave.get(path, headers={"Accept": accept}).status_code == 403


def test_carol_changes_nothing_at_all(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    before = [
        stage.query(f"SELECT count(*) FROM {table}")
        for table in ("users", "roles", "assignments", "permissions")
    ]
    document = stage.app.extensions["rbac-openapi"].document()["paths"]
    own = ("/v1/me", "/v1/auth", "/oauth")  # which refuses in its own words
    own += ("/v1/policy/plan",)  # which changes nothing: it asks

    for path, operations in document.items():
        for method, operation in operations.items():
            if method in ("get", "parameters") or path.startswith(own):
                continue
            answer = carol.call(method.upper(), concrete(stage, path), json={}, headers={"If-Match": '"x"'})
            assert answer.status_code == 403, operation["operationId"]

    assert before == [
        stage.query(f"SELECT count(*) FROM {t}") for t in ("users", "roles", "assignments", "permissions")
    ]


def concrete(stage: Stage, path: str) -> str:
    """A path with somebody and something that is there."""
    session = stage.query("SELECT id FROM sessions")[0][0]
    text = str(session)
    session_id = text if "-" in text else f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    known: dict[str, Any] = {
        "user_id": stage.user_id(DAVE), "session_id": session_id, "name": "role-manager", "role": "role-manager",
        "permission": "invoices:read", "junior": "auditor", "seq": 1, "incident_id": session_id, "account_id": session_id,
        "secret_id": session_id, "kid": "a-key", "constraint": "a-rule", "domain": "acme",
    }  # fmt: skip
    for name, value in known.items():
        path = path.replace(f"{{{name}}}", str(value))
    assert "{" not in path, path
    return path


def test_what_carol_sees_of_people_and_sessions_holds_no_credential(stage: Stage) -> None:
    alice, carol = stage.as_(ALICE), stage.as_(CAROL)
    secret = [
        alice.tokens["refresh_token"],
        alice.tokens["access_token"],
        "password_hash",
        "token_hash",
        "$2b$",
    ]

    for path in (
        "/v1/users",
        "/v1/sessions?state=all",
        "/v1/audit/events?limit=200",
        f"/v1/users/{stage.user_id(ALICE)}",
    ):
        text = carol.get(path).text
        assert not [word for word in secret if word in text], path
