"""What the trail is filtered by: role, address, session, request, several actions and all but some."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event as listening

from rbac_api.capabilities.audit import queries
from tests.builders import Caller, Stage
from tests.capabilities.audit.test_export import COPIED, lengthen
from tests.cast import ALICE, BOB, CAROL, DAVE

PATH = "/v1/audit/events"
REFUSED = (
    "role=1x", "role=a%25", "role=clerk&role=auditor", "ip=x", "ip=127.0.0.1&ip=127.0.0.1", "session=x", f"session={'x' * 36}",
    "session={0b5a2f8e-7a3e-4d52-9c41-2b8f6a1d3e57}", "request_id=", "request_id=a%00", "action!=", "action!=role.vanished", "action=",
    "action=role.created&action=x", "not_action=role.created", "action_not=role.created", "from_seq=1&from_seq=2", "outcome!=success",
)  # fmt: skip


def found(carol: Caller, query: str) -> list[dict[str, Any]]:
    answer = carol.get(f"{PATH}?limit=200&{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json["items"])


def pages(carol: Caller, path: str) -> Iterator[dict[str, Any]]:
    page = carol.get(path).json
    yield page
    while page["next"]:
        page = carol.get(f"{path}&cursor={page['next']}").json
        yield page


@pytest.fixture
def carol(stage: Stage) -> Caller:
    """She has read already, so that reading adds nothing that is found."""
    found = stage.as_(CAROL)
    found.get(PATH)
    return found


def test_a_role_finds_what_was_done_to_it_and_with_it(stage: Stage, carol: Caller) -> None:
    alice, dave = stage.as_(ALICE), stage.user_id(DAVE)
    for name in ("clerk", "senior"):
        alice.post("/v1/roles", json={"name": name})
    alice.put("/v1/roles/clerk/permissions/users:read")
    alice.put("/v1/roles/senior/inherits/clerk")
    alice.put(f"/v1/users/{dave}/roles/clerk", json={"reason": '"role":"senior"'})
    alice.delete(f"/v1/users/{dave}/roles/clerk")
    alice.put(f"/v1/users/{dave}/roles/senior")
    carol.get(f"{PATH}?role=clerk", headers={"Accept": "text/csv"})

    actions = [event["action"] for event in found(carol, "role=clerk&from_seq=1")]
    assert actions == [
        "role.created", "permission.granted", "inheritance.created", "assignment.created", "assignment.ended",
    ]  # fmt: skip
    assert [event["action"] for event in found(carol, "role=senior")] == [
        "assignment.created", "inheritance.created", "role.created",
    ]  # fmt: skip
    assert found(carol, "role=Clerk") == found(carol, "role=nothing") == []
    both = found(carol, "role=clerk&action!=role.created&actor=alice&action!=assignment.ended")
    assert both[0]["action"] == "assignment.created"


@pytest.mark.parametrize("looked_up", [10_000, 0])
def test_events_between_two_moments_are_found_wherever_they_stand(
    stage: Stage, carol: Caller, looked_up: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest two events are copies of old ones: of a node whose clock is slow."""
    monkeypatch.setattr(queries, "_WINDOW", looked_up)
    newest = carol.get(PATH).json["items"][0]["seq"]
    stage.execute(
        f"INSERT INTO trail_events (seq, {COPIED}) SELECT seq + {newest}, {COPIED} FROM trail_events WHERE seq < 3"
    )
    items = [item for page in pages(carol, f"{PATH}?from_seq=1&limit=200") for item in page["items"]]
    moments = sorted({item["at"] for item in items})
    assert len(moments) > 3

    for after, before in [(moments[0], moments[-1]), (moments[1], moments[2]), (moments[-1], moments[0])]:
        query = f"{PATH}?after={after}&before={before}&limit=200"
        told = [item["seq"] for page in pages(carol, query) for item in page["items"]]

        assert told == sorted((i["seq"] for i in items if after < i["at"] < before), reverse=True)
    early = f"{PATH}?after=2020-01-01T00:00:00Z&before={moments[1]}&count=true"
    assert carol.get(early).json["total"] == len([item for item in items if item["at"] == moments[0]])


def test_address_session_and_request_find_their_own(stage: Stage, carol: Caller) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk"}, headers={"X-Request-ID": "the-request"})
    session = alice.tokens["session_id"]

    [created] = found(carol, "request_id=the-request")
    assert (created["action"], created["session_id"], created["ip"]) == ("role.created", session, "127.0.0.1")
    assert {event["session_id"] for event in found(carol, f"session={session.upper()}")} == {session}
    assert created in found(carol, f"session={session}")
    assert created in found(carol, "ip=127.0.0.1") == found(carol, "ip=::ffff:127.0.0.1")
    assert found(carol, "ip=203.0.113.9") == found(carol, f"session={uuid4()}") == []


def test_several_actions_are_any_and_excluded_ones_none_of_them(stage: Stage, carol: Caller) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk"})
    alice.put(f"/v1/users/{stage.user_id(BOB)}/roles/clerk")
    every = [event["action"] for event in found(carol, "from_seq=1")]

    for wanted in ({"role.created"}, {"role.created", "assignment.created"}):
        query = "&".join(f"action={action}" for action in wanted)
        assert [event["action"] for event in found(carol, f"from_seq=1&{query}")] == [
            action for action in every if action in wanted
        ]
        excluded = query.replace("action=", "action!=")
        assert [event["action"] for event in found(carol, f"from_seq=1&{excluded}")] == [
            action for action in every if action not in wanted
        ]
    both = "action=role.created&action=assignment.created&action!=role.created"
    assert {event["action"] for event in found(carol, both)} == {"assignment.created"}
    assert found(carol, "action=role.created&action!=role.created") == []
    assert found(carol, f"{both}&actor=bob") == []


def test_pages_of_several_actions_follow_each_other_in_both_orders(stage: Stage, carol: Caller) -> None:
    alice = stage.as_(ALICE)
    for number in range(5):
        alice.post("/v1/roles", json={"name": f"clerk-{number}"})
        alice.delete_now(f"/v1/roles/clerk-{number}")
    query = "action=role.created&action=role.deleted&count=true"

    for order in ("", "&from_seq=1"):
        whole = found(carol, query + order)
        path, seen = f"{PATH}?{query}{order}&limit=3", []
        while path:
            page = carol.get(path)
            assert page.json["total"] == len(whole)
            seen += page.json["items"]
            path = page.headers["Link"].split(">")[0].strip("<") if page.json["next"] else ""
        assert seen == whole


def test_a_cursor_belongs_to_all_values_of_an_argument(carol: Caller) -> None:
    query = "action=signin.succeeded&action=user.created"
    cursor = carol.get(f"{PATH}?{query}&limit=1").json["next"]

    assert carol.get(f"{PATH}?action=user.created&action=signin.succeeded&cursor={cursor}").status_code == 200
    for other in ("action=signin.succeeded", f"{query}&action=role.created", "action!=signin.succeeded"):
        assert carol.get(f"{PATH}?{other}&cursor={cursor}").status_code == 422


@pytest.mark.parametrize("query", REFUSED)
def test_a_filter_that_is_none_is_refused(carol: Caller, query: str) -> None:
    assert carol.get(f"{PATH}?{query}").status_code == 422


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("ip=203.0.113.9", "ix_trail_events_ip"),
        ("session=0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57", "ix_trail_events_session_id"),
        ("request_id=x", "ix_trail_events_request_id"),
        ("role=clerk", "ix_trail_events_role"),
        ("actor=dave", "ix_trail_events_actor_id"),
        ("actor=nightly-job", "ix_trail_events_actor_id"),
        ("actor=nightly-job", "ix_trail_events_actor_name"),
        ("target=dave", "ix_trail_events_target_id"),
        ("target=dave", "ix_trail_events_target_name"),
        ("target=dave", "ix_personal_values_user_id"),
        ("target=nothing", "ix_trail_events_target_name"),
        ("action=role.created&action=role.deleted", "ix_trail_events_action"),
        ("action!=signin.succeeded", "ix_trail_events_action"),
        ("outcome=refused", "ix_trail_events_outcome"),
    ],
)
def test_each_filter_finds_few_events_in_an_index(
    stage: Stage, carol: Caller, query: str, index: str
) -> None:
    last = lengthen(stage, 3000)
    values = f"SELECT seq, 0, '192.0.2.7', '{{}}' FROM trail_events WHERE seq > {last - 3000}"
    stage.execute(f"INSERT INTO personal_values (seq, part, ip, entries) {values}")
    if stage.engine == "postgresql":
        stage.execute("ANALYZE trail_events", "ANALYZE personal_values")
    words = "EXPLAIN" if stage.engine == "postgresql" else "EXPLAIN QUERY PLAN"

    for order in ("", "&from_seq=9"):
        statement, parameters = page_statement(stage, carol, query + order)
        with stage.database.reading() as connection:
            rows = connection.exec_driver_sql(f"{words} {statement}", parameters)
            plan = "\n".join(str(row[-1]) for row in rows)
        assert index in plan
        assert "SCAN trail_events" not in plan
        assert "Seq Scan on trail_events" not in plan


def page_statement(stage: Stage, carol: Caller, query: str) -> tuple[str, Any]:
    """The statement that reads a page, as the driver gets it."""
    statements = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        statements.append((statement, parameters))

    listening.listen(stage.database.engine, "before_cursor_execute", note)
    try:
        found(carol, query)
    finally:
        listening.remove(stage.database.engine, "before_cursor_execute", note)
    return next(one for one in statements if "FROM trail_events" in one[0] and "request_id" in one[0])


def test_target_and_address_find_what_both_of_them_find(stage: Stage, carol: Caller) -> None:
    """The address and the user's name may be in different rows beside one event."""
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    alice.delete(f"/v1/sessions/{dave.tokens['session_id']}")
    alice.patch_now(f"/v1/users/{stage.user_id(DAVE)}", {"display_name": "Dave"})

    about = found(carol, "target=dave")
    addresses = {event["ip"] for event in about if event["ip"]}
    assert {event["action"] for event in about} >= {"session.ended", "user.updated"}
    assert addresses
    for ip in addresses:
        assert found(carol, f"target=dave&ip={ip}") == [event for event in about if event["ip"] == ip]
