"""Alice ends many sessions at once: exactly those she looked at, or none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event
from time_machine import Traveller

from rbac_api.capabilities.sessions import bulk_revocation as fleet
from rbac_api.database.queries.users import find_id_by_name
from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import as_robot, make_robot
from tests.capabilities.signin.crowd import answers_to, end_of, together
from tests.cast import ALICE, BOB, CAROL, DAVE, PASSWORD

ADDRESS = "/v1/sessions/revocations"
WHY = "Laptop stolen"
EVERYBODY = {"state": "active"}


def revoke(caller: Caller, which: Any, count: Any, **more: Any) -> Any:
    return caller.post(ADDRESS, json={"filter": which, "expected_count": count, "reason": WHY, **more})


def signed_in_at(stage: Stage, address: str, username: str = "dave") -> Caller:
    caller = stage.caller()
    body, whence = {"username": username, "password": PASSWORD}, {"REMOTE_ADDR": address}
    caller.tokens = caller.client.post("/v1/auth/login", json=body, environ_base=whence).json
    return caller


def test_alice_ends_daves_sessions_and_they_are_dead_on_the_next_request_everywhere(
    stage: Stage, nodes: list[Stage]
) -> None:
    alice, others = stage.as_(ALICE), stage.as_(BOB)
    daves = [nodes[-1].as_(DAVE) for _ in range(3)]
    assert {caller.get("/v1/me").status_code for caller in daves} == {200}

    answer = revoke(alice, {"user": "dave"}, 3)

    assert (answer.status_code, answer.json) == (200, {"count": 3, "dry_run": False})
    for caller in daves:
        assert [answers_to(node, caller.tokens) for node in nodes] == [(401, 401)] * len(nodes)
        assert end_of(stage, caller.tokens["session_id"]) == "admin"
    assert others.get("/v1/me").status_code == 200
    ended = alice.get("/v1/sessions?state=ended").json["items"]
    assert {session["ended_by"]["id"] for session in ended} == {stage.user_id(ALICE)}


def test_it_leaves_one_event_with_filter_count_and_reason(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    for _ in range(3):
        stage.as_(DAVE)
    before = len(stage.events())

    revoke(alice, {"user": "dave", "created_after": "2020-01-01T01:00:00+01:00"}, 3)

    (left,) = stage.events()[before:]
    told = json.loads(left["after"])
    assert (left["action"], left["actor_name"], left["reason"]) == ("sessions.revoked", "alice", WHY)
    user = {"id": stage.user_id(DAVE), "username": "dave"}
    assert told["filter"] == {"user": user, "created_after": "2020-01-01T00:00:00.000000Z"}
    assert told["count"] == 3


def test_every_one_of_them_is_on_the_denylist(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    ids = {stage.as_(DAVE).tokens["session_id"] for _ in range(3)}

    revoke(alice, {"user": "dave"}, 3)

    assert {str(row[0]) for row in stage.query("SELECT value FROM revocations WHERE kind = 'sid'")} == ids


@pytest.mark.parametrize("expected", [0, 1, 3, 4])
def test_if_there_are_not_as_many_as_expected_nothing_ends_and_alice_is_told(
    stage: Stage, expected: int
) -> None:
    alice, daves = stage.as_(ALICE), [stage.as_(DAVE) for _ in range(2)]
    before = len(stage.events())

    answer = revoke(alice, {"user": "dave"}, expected)

    assert (answer.status_code, answer.json["code"]) == (409, "sessions.count_differs")
    assert answer.json["count"] == 2
    assert {caller.get("/v1/me").status_code for caller in daves} == {200}
    assert len(stage.events()) == before


def test_a_dry_run_counts_and_ends_nothing(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    before = len(stage.events())

    bare = alice.post(ADDRESS, json={"filter": {"user": "dave"}, "dry_run": True})
    whole = revoke(alice, {"user": "dave"}, 7, dry_run=True)

    assert bare.json == whole.json == {"count": 1, "dry_run": True}
    assert dave.get("/v1/me").status_code == 200
    assert len(stage.events()) == before


@pytest.mark.parametrize(
    ("which", "people"),
    [
        ({"role": "auditor"}, {"carol"}),
        ({"ip": "203.0.113.9"}, {"dave"}),
        ({"user": "bob", "state": "all"}, {"bob"}),
        ({"created_before": "2020-01-01T00:00:00Z"}, set()),
        (EVERYBODY, {"alice", "bob", "carol", "dave"}),
        ({"user": "bob", "state": "ended"}, set()),
    ],
)
def test_the_filter_is_that_of_the_list(stage: Stage, which: dict[str, str], people: set[str]) -> None:
    alice, bobs = stage.as_(ALICE), [stage.as_(BOB), stage.as_(BOB)]
    stage.as_(CAROL)
    signed_in_at(stage, "203.0.113.9")
    bobs[1].post("/v1/auth/logout")
    listed = alice.get("/v1/sessions", query_string={**which, "state": "active"}).json["items"]
    if which.get("state") == "ended":
        listed = []

    answer = revoke(alice, which, len(listed))

    assert {session["user"]["username"] for session in listed} == people
    assert (answer.status_code, answer.json["count"]) == (200, len(people))
    left = stage.query("SELECT count(*) FROM sessions WHERE ended_at IS NULL")
    assert left == [(4 - len(people),)]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"filter": {}, "expected_count": 1, "reason": WHY}, "/filter"),
        ({"expected_count": 1, "reason": WHY}, "/filter"),
        ({"filter": {"user": "dave"}, "reason": WHY}, "/expected_count"),
        ({"filter": {"user": "dave"}, "expected_count": 1}, "/reason"),
        ({"filter": {"user": "dave"}, "expected_count": 1, "reason": ""}, "/reason"),
        ({"filter": {"user": "dave"}, "expected_count": "1", "reason": WHY}, "/expected_count"),
        ({"filter": {"user": "dave"}, "expected_count": True, "reason": WHY}, "/expected_count"),
        ({"filter": {"user": "dave"}, "expected_count": 1.0, "reason": WHY}, "/expected_count"),
        ({"filter": {"user": "dave"}, "expected_count": -1, "reason": WHY}, "/expected_count"),
        ({"filter": {"user": None}, "expected_count": 1, "reason": WHY}, "/filter/user"),
        ({"filter": {"user": ["dave"]}, "expected_count": 1, "reason": WHY}, "/filter/user"),
        ({"filter": {"user": {"ne": ""}}, "expected_count": 1, "reason": WHY}, "/filter/user"),
        ({"filter": {"username": "dave"}, "expected_count": 1, "reason": WHY}, "/filter/username"),
        ({"filter": {"limit": "5", "user": "dave"}, "expected_count": 1, "reason": WHY}, "/filter/limit"),
        ({"filter": {"id OR 1=1": "x"}, "expected_count": 1, "reason": WHY}, "/filter/id OR 1=1"),
        ({"filter": {"state": "ACTIVE"}, "expected_count": 1, "reason": WHY}, "/filter/state"),
        ({"filter": {"created_after": 0}, "expected_count": 1, "reason": WHY}, "/filter/created_after"),
        ({"filter": [], "expected_count": 1, "reason": WHY}, "/filter"),
        ({"filter": {"user": "dave"}, "expected_count": 1, "reason": WHY, "force": True}, "/force"),
        ({"filter": {"user": "dave"}, "expected_count": 1, "reason": WHY, "dry_run": 0}, "/dry_run"),
    ],
)
def test_what_is_not_understood_ends_nothing(stage: Stage, body: dict[str, Any], pointer: str) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)

    answer = alice.post(ADDRESS, json=body)

    assert answer.status_code == 422, answer.json
    assert pointer in {fault["pointer"].removesuffix("/_schema") for fault in answer.json["errors"]}
    assert dave.get("/v1/me").status_code == 200


@pytest.mark.parametrize("name", ["' OR 1=1 --", "dave' --", "%", "d_ve", "*", "\\"])
def test_no_name_is_more_than_a_name(stage: Stage, name: str) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)

    answer = revoke(alice, {"user": name}, 1)

    assert (answer.status_code, answer.json["count"]) == (409, 0)
    assert dave.get("/v1/me").status_code == 200


def test_the_auditor_and_the_nobody_end_nothing(stage: Stage) -> None:
    alice, carol, dave = stage.as_(ALICE), stage.as_(CAROL), stage.as_(DAVE)

    for caller in (carol, dave):
        assert revoke(caller, {"user": "dave"}, 1, dry_run=True).json["required"] == "sessions:revoke"
    assert stage.caller().post(ADDRESS, json={}).json["code"] == "token.missing"
    assert {caller.get("/v1/me").status_code for caller in (alice, carol, dave)} == {200}


@pytest.mark.parametrize("dry_run", [True, False])
def test_bob_cannot_sweep_alice_along_with_the_others(stage: Stage, dry_run: bool) -> None:
    alice, bob, dave = stage.as_(ALICE), stage.as_(BOB), stage.as_(DAVE)

    answer = revoke(bob, EVERYBODY, 3, dry_run=dry_run)

    assert (answer.status_code, answer.json["code"]) == (403, "target.stronger")
    assert answer.json["missing"]
    assert {caller.get("/v1/me").status_code for caller in (alice, bob, dave)} == {200}
    assert revoke(bob, {"user": "dave"}, 1).status_code == 200


def test_bob_ends_all_his_own_whatever_he_will_hold(stage: Stage) -> None:
    alice, bob = stage.as_(ALICE), stage.as_(BOB)
    later = {"starts_at": "2099-01-01T00:00:00Z"}
    stage.as_(BOB)
    alice.put(f"/v1/users/{stage.user_id(BOB)}/roles/admin", json=later)

    assert revoke(bob, {"user": "bob"}, 2).json["count"] == 2
    assert bob.get("/v1/me").json["code"] == "token.revoked"


def test_the_tokens_of_a_service_account_are_swept_along(stage: Stage) -> None:
    robot = make_robot(stage, "auditor")
    calls = [as_robot(stage, robot) for _ in range(2)]

    assert revoke(stage.as_(ALICE), {"user": robot.name, "role": "auditor"}, 2).json["count"] == 2
    assert {caller.get("/v1/users").json["code"] for caller in calls} == {"token.revoked"}


def test_ending_none_leaves_no_trace(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    assert revoke(alice, {"user": "dave"}, 0).json == {"count": 0, "dry_run": False}
    assert stage.events("sessions.revoked") == []


def raced(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> tuple[int, list[int]]:
    """Dave signs in between Alice's count and the end; the status she gets, and those that his two sessions get afterwards."""
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    late: list[Caller] = []
    count = fleet.queries.count_by_user

    def counting(*args: Any) -> Any:
        found = count(*args)
        crowd = together(1, lambda _: _sign_in(stage, late))
        assert crowd
        return found

    monkeypatch.setattr(fleet.queries, "count_by_user", counting)
    status = revoke(alice, {"user": "dave"}, 1).status_code
    return status, [caller.get("/v1/me").status_code for caller in (dave, *late)]


def _sign_in(stage: Stage, late: list[Caller]) -> bool:
    caller = stage.caller()
    body = {"username": "dave", "password": PASSWORD}
    answer = caller.client.post("/v1/auth/login", json=body)
    if answer.status_code == 200:
        caller.tokens = answer.json or {}
        late.append(caller)
    return True


def test_nobody_signs_in_between_the_count_and_the_end(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, impatient: None
) -> None:
    status, after = raced(stage, monkeypatch)

    assert (status, after) == (200, [401]), "he had to wait, and gave up"


def test_without_the_write_lock_more_would_end_than_alice_has_seen(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet, "revoke_sessions", careless)

    assert raced(stage, monkeypatch) == (200, [401, 401])


def careless(clearance: Any, body: Any) -> dict[str, Any]:
    """The vulnerable twin: counts before it has the lock."""
    with clearance.work.database.reading() as connection:
        fitting = [
            fleet.queries.is_of([str(find_id_by_name(connection, "dave"))]),
            fleet.is_active(fleet.clock.now()),
        ]
        count = sum(user.sessions for user in fleet.queries.count_by_user(connection, fitting))
    assert count == body["expected_count"]
    fleet._end(clearance, fitting, count, body)
    return {"count": count, "dry_run": False}


@pytest.fixture
def impatient(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the write lock gives up soon."""
    monkeypatch.setattr(stage.database, "timeout", 0.5)


def test_of_two_who_expect_the_same_only_one_ends_them(stage: Stage, nodes: list[Stage]) -> None:
    admins = [nodes[number % len(nodes)].as_(ALICE) for number in range(4)]
    for _ in range(3):
        stage.as_(DAVE)

    answers = together(4, lambda number: revoke(admins[number], {"user": "dave"}, 3))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert {answer.json["count"] for answer in answers if answer.status_code == 409} == {0}
    assert len(stage.events("sessions.revoked")) == 1


COPIES = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {0}) SELECT i FROM n)",
    "postgresql": "(SELECT generate_series(1, {0}) AS i)",
}
NEW_ID = {
    "sqlite": "printf('0198c0de7a3e7d529c41%012x', i)",
    "postgresql": "('0198c0de-7a3e-7d52-9c41-' || lpad(to_hex(i), 12, '0'))::uuid",
}


def multiply(stage: Stage, session_id: str, copies: int) -> None:
    """So many more sessions like this one."""
    key = session_id if stage.engine == "postgresql" else session_id.replace("-", "")
    columns = "user_id, client_id, created_at, last_seen_at, idle_expires_at, absolute_expires_at, generation, amr, ip, user_agent"
    numbers = COPIES[stage.engine].format(copies)
    made = f"SELECT {NEW_ID[stage.engine]}, {columns} FROM {numbers} AS numbers, sessions WHERE id = '{key}'"
    stage.execute(f"INSERT INTO sessions (id, {columns}) {made}")


def test_ten_thousand_sessions_end_in_a_few_statements(
    stage: Stage, frozen: Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    multiply(stage, dave.tokens["session_id"], 9_999)
    statements: list[str] = []
    alice.get("/v1/me")

    @event.listens_for(stage.database.engine, "before_cursor_execute")
    def note(*told: Any) -> None:
        statements.append(told[2])

    try:
        answer = revoke(alice, {"user": "dave"}, 10_000)
    finally:
        event.remove(stage.database.engine, "before_cursor_execute", note)

    assert answer.json == {"count": 10_000, "dry_run": False}
    assert len(statements) < 60, statements
    assert stage.query("SELECT count(*) FROM sessions WHERE end_reason = 'admin'") == [(10_000,)]


def many_people(stage: Stage, count: int) -> None:
    """So many users with one session each."""
    columns = "status, password_temporary, version, authorization_version, created_at, updated_at, kind"
    numbers = COPIES[stage.engine].format(count)
    new, text = NEW_ID[stage.engine], "'p' || i"
    dave = f"FROM {numbers} AS numbers, users WHERE username = 'dave'"
    stage.execute(
        f"INSERT INTO users (id, username, username_canonical, {columns}) SELECT {new}, {text}, {text}, {columns} {dave}"
    )
    rest = "client_id, created_at, last_seen_at, idle_expires_at, absolute_expires_at, generation, amr"
    stage.execute(
        f"INSERT INTO sessions (id, user_id, {rest}) SELECT {new}, {new}, {rest} FROM {numbers} AS numbers,"
        " (SELECT * FROM sessions ORDER BY created_at LIMIT 1) AS one"
    )


def test_of_three_thousand_people_one_administrator_saves_all(stage: Stage, frozen: Traveller) -> None:
    stage.as_(ALICE)
    bob: Caller = stage.as_(BOB)
    many_people(stage, 3_000)
    sweep: Callable[[dict[str, str], int], Any] = lambda which, count: revoke(bob, which, count)  # noqa: E731

    refused = sweep(EVERYBODY, 3_002)
    assert refused.json["code"] == "target.stronger"
    assert stage.query("SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL") == [(0,)]
    stage.execute(
        "UPDATE sessions SET ended_at = created_at, end_reason = 'admin' WHERE user_id = "
        "(SELECT id FROM users WHERE username = 'alice')"
    )

    assert sweep(EVERYBODY, 3_001).json["count"] == 3_001


def revoker(stage: Stage) -> Caller:
    """Dave, who may end sessions, and read none."""
    alice = stage.as_(ALICE)
    assert (
        alice.post("/v1/roles", json={"name": "revoker", "permissions": ["sessions:revoke"]}).status_code
        == 201
    )
    assert alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/revoker").status_code == 201
    return stage.as_(DAVE)


FILTERS: tuple[dict[str, Any], ...] = (
    EVERYBODY, {"user": "dave"}, {"user": "alice"}, {"user": "nobody"}, {"ip": "127.0.0.1"}, {"ip": "192.0.2.1"}, {"role": "admin"},
)  # fmt: skip


@pytest.mark.parametrize("which", FILTERS, ids=str)
def test_who_may_read_no_session_counts_none_with_any_filter(stage: Stage, which: dict[str, Any]) -> None:
    dave = revoker(stage)

    answers = [
        dave.post(ADDRESS, json={"filter": which, "dry_run": True}),
        revoke(dave, which, 5, dry_run=True),
        revoke(dave, which, 0),
    ]

    assert {(answer.status_code, answer.json["required"]) for answer in answers} == {(403, "sessions:read")}
    assert len({answer.json["detail"] for answer in answers}) == 1


def test_a_wrong_count_tells_who_may_read_none_no_number(stage: Stage) -> None:
    dave = revoker(stage)
    stage.as_(DAVE)

    several, none = revoke(dave, {"user": "dave"}, 7), revoke(dave, {"user": "mallory"}, 7)

    assert (several.status_code, none.status_code) == (409, 409)
    same = {"request_id": None}
    assert several.json | same == none.json | same
    assert "count" not in several.json
    assert "sessions:read" in several.json["detail"]


def test_who_may_read_none_ends_those_she_counted_right(stage: Stage) -> None:
    dave = revoker(stage)
    robot = as_robot(stage, make_robot(stage))

    answer = revoke(dave, {"user": "invoice-robot"}, 1)

    assert (answer.status_code, answer.json) == (200, {"count": 1, "dry_run": False})
    assert robot.get("/v1/me").status_code == 401


def test_a_stronger_user_is_named_only_to_who_may_read_users(stage: Stage) -> None:
    dave, bob = revoker(stage), stage.as_(BOB)

    told = [revoke(caller, {"state": "active"}, 1).json for caller in (dave, bob)]

    assert [answer["code"] for answer in told] == ["target.stronger"] * 2
    assert ["alice" in answer["detail"] for answer in told] == [False, True]
