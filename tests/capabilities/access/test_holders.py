"""Who has a role, who has a permission: exactly those, in pages that stay whole, however many there are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from rbac_api import clock
from rbac_api.capabilities.access import holders, queries
from rbac_api.database import filters as searching
from rbac_api.database.tables import assignments, roles, users
from rbac_api.database.types import new_id
from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import make_robot
from tests.cast import ALICE, BOB, CAROL, DAVE
from tests.patience import quickest

PATIENCE = 1.0  # seconds for three pages, at best
MANY = 6_000
MEMBERS, HOLDERS = "/v1/roles/clerk/members", "/v1/permissions/invoices:read/holders"


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.json
    return [item["user"]["username"] for item in answer.json["items"]]


def all_names(caller: Caller, path: str) -> Iterator[str]:
    """Page after page."""
    cursor: str | None = ""
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        answer = caller.get(f"{path}{more}")
        yield from names(answer)
        cursor = answer.json["next"]


def give(stage: Stage, person: Any, role: str, **terms: Any) -> None:
    stage.as_(ALICE).put(f"/v1/users/{stage.user_id(person)}/roles/{role}", json=terms or None)


def chief_over_clerk(stage: Stage) -> Caller:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"]})
    alice.post("/v1/roles", json={"name": "chief"})
    alice.put("/v1/roles/chief/inherits/clerk")
    return alice


def test_members_are_those_to_whom_it_is_assigned_and_effectively_also_those_who_inherit_it(
    stage: Stage,
) -> None:
    alice = chief_over_clerk(stage)
    robot = make_robot(stage)
    alice.put(f"{robot.path}/roles/clerk")
    give(stage, DAVE, "chief")
    give(
        stage,
        CAROL,
        "clerk",
        mode="eligible",
        expires_at=(ends := clock.rfc3339(clock.now() + timedelta(days=1))),
    )
    give(stage, CAROL, "chief", mode="eligible")

    direct, effective = alice.get(MEMBERS).json["items"], alice.get(f"{MEMBERS}?effective=true").json["items"]

    assert [(i["user"]["username"], i["kind"], i["direct"], i["via"], i["mode"], i["expires_at"]) for i in direct] == [
        ("carol", "user", True, ["clerk"], "eligible", ends),
        ("invoice-robot", "service_account", True, ["clerk"], "active", None),
    ]  # fmt: skip
    assert [(i["user"]["username"], i["direct"], i["via"]) for i in effective] == [
        ("carol", True, ["chief", "clerk"]), ("dave", False, ["chief"]), ("invoice-robot", True, ["clerk"]),
    ]  # fmt: skip


def test_time_and_status_are_those_of_the_moment(stage: Stage) -> None:
    alice, soon = chief_over_clerk(stage), clock.rfc3339(clock.now() + timedelta(hours=1))
    give(stage, DAVE, "clerk", starts_at=soon)
    give(stage, CAROL, "clerk")
    before = clock.rfc3339(clock.now())
    alice.patch_now(f"/v1/users/{stage.user_id(CAROL)}", {"status": "disabled"})

    now, then = alice.get(MEMBERS).json["items"], alice.get(f"{MEMBERS}?at={before}").json["items"]

    assert [(item["user"]["username"], item["status"]) for item in now] == [("carol", "disabled")]
    assert [(item["user"]["username"], item["status"]) for item in then] == [("carol", "active")]
    assert names(alice.get(HOLDERS)) == ["alice", "bob"]
    assert names(alice.get(f"{HOLDERS}?at={before}")) == ["alice", "bob", "carol"]
    disabled = clock.rfc3339(clock.now())
    alice.patch_now(f"/v1/users/{stage.user_id(CAROL)}", {"status": "active"})
    assert names(alice.get(f"{HOLDERS}?at={disabled}")) == ["alice", "bob"]


def test_holders_are_exactly_those_of_whom_an_explanation_says_yes(stage: Stage) -> None:
    alice, people = chief_over_clerk(stage), (ALICE, BOB, CAROL, DAVE, "mallory")
    give(stage, DAVE, "chief")
    give(stage, CAROL, "clerk", mode="eligible")
    robot = make_robot(stage)
    alice.put(f"{robot.path}/roles/clerk")
    rule = {"name": "apart", "kind": "dynamic", "roles": ["clerk", "role-manager"], "limit": 2}
    assert alice.post("/v1/constraints", json=rule).status_code == 201
    give(stage, BOB, "clerk")  # neither counts unless he chooses

    asked = {getattr(p, "username", p): f"/v1/users/{stage.user_id(p)}" for p in people} | {
        "invoice-robot": robot.path
    }
    may = {
        name
        for name, path in asked.items()
        if alice.get(f"{path}/access?permission=invoices:read").json["decision"]
    }

    assert names(alice.get(HOLDERS)) == sorted(may) == ["alice", "dave", "invoice-robot"]
    eligible = alice.get(f"{HOLDERS}?eligible=true").json["items"]
    assert [(item["user"]["username"], item["mode"]) for item in eligible] == [
        ("alice", "active"), ("bob", "active"), ("carol", "eligible"), ("dave", "active"), ("invoice-robot", "active"),
    ]  # fmt: skip
    assert [item["direct"] for item in eligible] == [True, True, True, False, True]


def test_pages_stay_whole_while_people_come_and_go(stage: Stage) -> None:
    chief_over_clerk(stage)
    for person in (ALICE, BOB, CAROL, DAVE):
        give(stage, person, "clerk")
    alice, path = stage.as_(ALICE), f"{MEMBERS}?limit=2&count=true"

    first = alice.get(path)
    bert = alice.post("/v1/users", json={"username": "bert"}).headers["Location"]
    alice.put(f"{bert}/roles/clerk")  # before the cursor
    alice.delete(f"/v1/users/{stage.user_id(CAROL)}/roles/clerk")  # after it
    second = alice.get(f"{path}&cursor={first.json['next']}")

    assert (names(first), first.json["total"]) == (["alice", "bob"], 4)
    assert (names(second), second.json["next"], second.json["total"]) == (["dave"], None, 4)
    assert first.headers["Link"].endswith('rel="next"')
    for other in (
        f"{HOLDERS}?limit=2",
        f"{MEMBERS}?effective=true&limit=2",
        "/v1/roles/chief/members?limit=2",
    ):
        assert alice.get(f"{other}&cursor={first.json['next']}").status_code == 422


def test_the_total_counts_exactly_those_whom_the_pages_list(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = chief_over_clerk(stage)
    for person in (BOB, CAROL, DAVE):
        give(stage, person, "clerk")
    rule = {"name": "apart", "kind": "dynamic", "roles": ["clerk", "role-manager"], "limit": 2}
    assert alice.post("/v1/constraints", json=rule).status_code == 201  # Bob has both: neither counts
    monkeypatch.setattr(holders, "PORTION", 3)

    for path in (HOLDERS, f"{HOLDERS}?at={clock.rfc3339(clock.now())}"):  # Mallory is disabled
        sign = "&" if "?" in path else "?"
        answer = alice.get(f"{path}{sign}count=true")
        assert (names(answer), answer.json["total"]) == (["alice", "carol", "dave"], 3), path
    assert alice.get(f"{HOLDERS}?count=true&eligible=true").json["total"] == 4


def test_of_a_crowd_those_assigned_are_counted(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mallory, too, who is disabled."""
    alice = chief_over_clerk(stage)
    monkeypatch.setattr(holders, "EXACT_COUNT_LIMIT", 2)

    assert alice.get(f"{HOLDERS}?count=true&at={clock.rfc3339(clock.now())}").json["total"] == 3


def populate(stage: Stage, count: int, role: str) -> None:
    """That many people with the role, named ``p00000`` and so on; every other one is disabled."""
    now = clock.now()
    people = [
        {"id": new_id(), "username": f"p{i:05}", "username_canonical": f"p{i:05}", "status": "disabled" if i % 2 else "active",
         "created_at": now, "updated_at": now}
        for i in range(count)
    ]  # fmt: skip
    with stage.database.writing() as connection:
        role_id = connection.execute(select(roles.c.id).where(roles.c.name == role)).scalar_one()
        connection.execute(insert(users), people)
        held = [
            {
                "id": new_id(),
                "user_id": person["id"],
                "role_id": role_id,
                "valid_from": now,
                "assigned_at": now,
            }
            for person in people
        ]
        connection.execute(insert(assignments), held)


def test_a_page_out_of_a_crowd_costs_a_page(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it would at a million: an index is walked in order, until there are enough; and a few are found without walking."""
    monkeypatch.setattr(searching, "FEW", 1000)
    alice = chief_over_clerk(stage)
    populate(stage, MANY, "clerk")
    give(stage, DAVE, "chief")
    if stage.engine == "postgresql":
        stage.execute("ANALYZE users", "ANALYZE assignments")  # as it does by itself
    alice.get(MEMBERS)
    paths = (f"{MEMBERS}?effective=true&limit=200", f"{HOLDERS}?limit=200", "/v1/roles/chief/members")

    assert quickest(lambda: [alice.get(path) for path in paths], PATIENCE) < PATIENCE
    middle, holding, few = map(alice.get, paths)
    assert (len(names(middle)), names(holding)[:4]) == (200, ["alice", "bob", "dave", "p00000"])
    assert names(few) == ["dave"]
    assert wasteful(stage, "clerk", "SCAN users", "TEMP B-TREE", "Sort", "Seq Scan on users") == []
    assert (
        wasteful(stage, "chief", "SCAN users", "ix_users_username", "uq_users_username", "Seq Scan on users")
        == []
    )


def wasteful(stage: Stage, role: str, *words: str) -> list[str]:
    """What of the plan for a page from the middle is not as it should be."""
    with stage.database.reading() as connection:
        role_id = connection.execute(select(roles.c.id).where(roles.c.name == role)).scalar_one()
        query = queries.holders_query(connection, queries.Holding((role_id,), clock.now()), "p04000", 51)
        text = str(query.compile(connection, compile_kwargs={"literal_binds": True}))
        explain = "EXPLAIN QUERY PLAN " if stage.engine == "sqlite" else "EXPLAIN "
        lines = [str(row[-1]) for row in connection.exec_driver_sql(explain + text)]
    return [line for line in lines if any(word in line for word in words)]


def test_where_many_have_to_be_passed_over_pages_are_short_but_lose_nobody(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = chief_over_clerk(stage)
    populate(stage, 60, "clerk")
    monkeypatch.setattr(holders, "PORTION", 7)
    monkeypatch.setattr(holders, "PORTIONS", 2)
    at = clock.rfc3339(clock.now())

    found = list(all_names(alice, f"{HOLDERS}?limit=5&at={at}"))

    assert found == ["alice", "bob", *(f"p{i:05}" for i in range(0, 60, 2))]
    assert list(all_names(alice, f"{HOLDERS}?limit=50&at={at}")) == found
    assert list(all_names(alice, f"{HOLDERS}?limit=20&at={at}")) == found
    assert list(all_names(alice, f"{MEMBERS}?limit=7")) == [f"p{i:05}" for i in range(60)]
