"""No reading operation fetches more rows because there are more users, assignments, sessions or events: a page and what it needs."""

from __future__ import annotations

import re
from collections import Counter

from rbac_api import clock
from rbac_api.capabilities.policy import service as policy
from rbac_api.capabilities.sessions.service import Origin, begin_session
from rbac_api.cli.prepare import operator_unit
from rbac_api.database.tables import refresh_tokens
from rbac_api.database.types import new_id
from rbac_api.decision.document import read_document
from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import make_robot
from tests.cast import ALICE, DAVE
from tests.contract.operations import Operation, operations
from tests.faults.test_under_the_lock import rows_read

MORE = 300  # of each
PAGE = 50
ROOM = 70  # what is read for a page besides its rows, and a row to know whether there is another page
# Tables that grow with use.  Roles, permissions and keys are few, and each process remembers them.
GROWING = re.compile(
    r"\b(?:FROM|JOIN)\s+(users|assignments|sessions|refresh_tokens|trail_events|decisions|incidents|activations|service_accounts)\b"
)
WHOLE = {"export_policy"}  # reads everything, a part at a time: its memory is bounded
NEEDED = {
    "get_user_access": "?permission=users:read",
    "get_my_access": "?permission=users:read",
    "list_my_domains": "?permission=users:read",
    "get_service_account_access": "?permission=users:read",
    "prove_consistency": "?from=1",
    "diff_access": "?from=2026-01-01T00:00:00Z&user=dave",
}


def scene(stage: Stage, alice: Caller) -> dict[str, str]:
    """One of everything that a path can name."""
    thief, dave = stage.as_(DAVE), stage.as_(DAVE)
    alice.delete(f"/v1/sessions/{thief.tokens['session_id']}")
    assert thief.get("/v1/me", headers={"User-Agent": "thief/1.0"}).status_code == 401
    rule = {"name": "rule", "kind": "max-holders", "roles": ["role-manager"], "limit": 100_000}
    assert alice.post("/v1/constraints", json=rule).status_code == 201
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor")
    return {
        "user_id": stage.user_id(DAVE), "session_id": dave.tokens["session_id"], "account_id": make_robot(stage, "auditor").id,
        "incident_id": alice.get("/v1/incidents").json["items"][0]["id"], "role": "role-manager", "constraint": "rule",
        "domain": "root",
        "decision_id": dave.post("/v1/roles", json={"name": "x"}).json["decision_id"], "permission": "users:read", "seq": "1",
        "code": "user.not_found", "kid": alice.get("/v1/keys").json["items"][0]["kid"],
    }  # fmt: skip


def grow(stage: Stage, names: dict[str, str]) -> None:
    """Many more users, all with the same role; many sessions of one user, and many refreshes of one session."""
    numbers = range(MORE)
    document = {
        "users": [{"username": f"person-{number}"} for number in numbers],
        "assignments": [{"user": f"person-{number}", "role": "auditor"} for number in numbers],
    }
    with operator_unit(stage.settings, stage.database) as clearance:
        policy.load_document(clearance, read_document(document), "grown")
    origin, now = Origin("203.0.113.9", "Grown", "first-party"), clock.now()
    with stage.database.writing() as connection:
        for number in numbers:
            begin_session(connection, stage.settings, names["user_id"], origin)
            row = {"jti": new_id(), "session_id": names["session_id"], "generation": number + 100}
            connection.execute(refresh_tokens.insert(), {**row, "issued_at": now, "expires_at": now})
    stage.guard.snapshot.freshen()


def rows_of(stage: Stage, caller: Caller, operation: Operation, names: dict[str, str]) -> Counter[str]:
    """How many rows the operation fetches, by the growing table that is read first."""
    with rows_read(stage.database, writing=False) as rows:
        answer = caller.get(operation.at(names) + NEEDED.get(operation.id, ""))
    assert answer.status_code < 300, (operation.id, answer.text)
    found: Counter[str] = Counter()
    for statement, number in rows.items():
        if table := GROWING.search(statement):
            found[table[1]] += number
    return found


def all_rows(stage: Stage, alice: Caller, names: dict[str, str]) -> dict[str, Counter[str]]:
    reading = [one for one in operations(stage.app) if one.method == "GET" and one.id not in WHOLE]
    for one in reading:
        rows_of(stage, alice, one, names)  # what is remembered from now on
    return {one.id: rows_of(stage, alice, one, names) for one in reading}


def test_a_reading_operation_fetches_no_more_because_there_is_more(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    names = scene(stage, alice)
    few = all_rows(stage, alice, names)
    grow(stage, names)
    many = all_rows(stage, alice, names)

    assert len(many) > 30
    grown = {
        (operation, table): (few[operation][table], number)
        for operation, rows in many.items()
        for table, number in rows.items()
        if number > few[operation][table] + PAGE + ROOM
    }
    assert not grown


def test_the_count_sees_a_whole_table(stage: Stage) -> None:
    """The careless twin: a page that is cut after everything was read."""
    alice = stage.as_(ALICE)
    grow(stage, scene(stage, alice))
    for table in ("users", "assignments", "sessions", "refresh_tokens", "trail_events"):
        everything = f"SELECT * FROM {table}"
        with rows_read(stage.database, writing=False) as rows, stage.database.reading() as connection:
            connection.exec_driver_sql(everything).all()
        assert GROWING.search(everything)
        assert rows[everything] > MORE
