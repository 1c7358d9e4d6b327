"""Roles that inherit roles: what that adds up to, and why it never runs in a circle."""

from time import thread_time
from typing import Any

import pytest

from rbac_api.capabilities.roles import service
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.guard.state.queries import find_role_graph
from tests.builders import Caller, Stage
from tests.capabilities.signin.crowd import together
from tests.cast import ALICE, BOB, DAVE
from tests.meeting import met
from tests.sizes import sized

ROUNDS, PATIENCE = sized(3, 100), 3.0
MOMENT = {"sqlite": "'2026-01-01 00:00:00'", "postgresql": "TIMESTAMPTZ '2026-01-01Z'"}
NEW_ID = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "gen_random_uuid()"}


def make(alice: Caller, *names: str) -> None:
    """Roles that hold nothing yet."""
    for name in names:
        alice.post("/v1/roles", json={"name": name})


def edge(alice: Caller, senior: str, junior: str) -> Any:
    return alice.put(f"/v1/roles/{senior}/inherits/{junior}")


def test_dave_holds_what_his_role_inherits_until_it_does_no_more(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    make(alice, "chief", "clerk")
    alice.put("/v1/roles/clerk/permissions/users:read")
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/chief")

    assert [edge(alice, "chief", "clerk").status_code for _ in range(2)] == [201, 200]
    assert dave.get("/v1/users").status_code == 200
    assert dave.get("/v1/me").json["roles"] == ["chief", "clerk"]
    assert alice.delete("/v1/roles/chief/inherits/clerk").status_code == 204

    assert dave.get("/v1/users").status_code == 403
    again = alice.delete("/v1/roles/chief/inherits/clerk")
    assert (again.status_code, again.json["code"]) == (404, "role.not_inherited")
    assert [len(stage.events(f"inheritance.{what}")) for what in ("created", "ended")] == [1, 1]


def test_an_edge_that_would_close_a_circle_is_refused(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    make(alice, "r1", "r2", "r3")
    edge(alice, "r1", "r2")
    edge(alice, "r2", "r3")

    for senior, junior in (("r3", "r1"), ("r2", "r1"), ("r1", "r1")):
        answer = edge(alice, senior, junior)
        assert (answer.status_code, answer.json["code"]) == (409, "role.cycle")
    assert alice.get("/v1/roles/r3").json["inherits"] == []


def test_unknown_roles_neither_inherit_nor_are_inherited(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    make(alice, "r1")

    answers = [
        alice.call(method, f"/v1/roles/{senior}/inherits/{junior}")
        for method in ("PUT", "DELETE")
        for senior, junior in (("r1", "nothing"), ("nothing", "r1"))
    ]

    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {(404, "role.not_found")}


def test_bob_lets_a_role_inherit_only_what_he_holds(stage: Stage) -> None:
    bob = stage.as_(BOB)
    make(bob, "clerk")

    refused = edge(bob, "clerk", "auditor")

    assert (refused.status_code, refused.json["code"]) == (403, "escalation.denied")
    assert refused.json["missing"] == [
        "audit:read", "constraints:read", "domains:read", "keys:read", "policy:read", "service-accounts:read",
    ]  # fmt: skip
    assert edge(bob, "clerk", "role-manager").status_code == 201


def close_both_halves(stage: Stage, alice: Caller, number: int) -> list[int]:
    """Two requests at once, each of which closes half of a circle."""
    left, right = f"left-{number}", f"right-{number}"
    make(alice, left, right)
    pairs = [(left, right), (right, left)]

    def close(which: int) -> int:
        senior, junior = pairs[which]
        path = f"/v1/roles/{senior}/inherits/{junior}"
        return stage.app.test_client().put(path, headers=alice.headers).status_code

    return sorted(together(2, close))


@pytest.mark.soak
def test_of_two_who_each_close_half_of_a_circle_one_succeeds(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    for number in range(ROUNDS):
        assert close_both_halves(stage, alice, number) == [201, 409]
    assert stage.caller().get("/readyz").json["ready"] is True


def test_a_look_before_the_lock_would_let_both_succeed(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vulnerable twin: whether a circle would be closed is looked up before the write lock is taken."""
    careful, meet = service.inherit_role, met(2)

    def naive(clearance: Any, senior: str, junior: str) -> bool:
        with clearance.work.database.reading() as connection:
            graph = find_role_graph(connection)
        if senior in graph.closures[junior]:
            raise service.RoleCycle()
        meet()
        return careful(clearance, senior, junior)

    monkeypatch.setattr(service, "inherit_role", naive)
    monkeypatch.setattr(RoleGraph, "would_close_cycle", lambda *_: False)
    alice = stage.as_(ALICE)

    assert close_both_halves(stage, alice, 1) == [201, 201]


def test_a_circle_written_straight_into_the_database_harms_nobody_and_is_reported(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    make(alice, "r1", "r2", "r3")
    edge(alice, "r1", "r2")
    edge(alice, "r2", "r3")
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/r1")
    alice.put("/v1/roles/r3/permissions/users:read")
    write_edges(stage, "s.name = 'r3' AND j.name = 'r1'")
    began = thread_time()

    dave = stage.as_(DAVE)

    assert dave.get("/v1/users").status_code == 200
    assert dave.get("/v1/sessions").status_code == 403
    assert thread_time() - began < PATIENCE, "seconds of this thread alone"
    ready = stage.caller().get("/readyz")
    told = {check["name"]: check["detail"] for check in ready.json["checks"] if not check["ok"]}
    assert (ready.status_code, told) == (503, {"role_cycle": "these roles inherit each other: r1 > r2 > r3"})
    assert alice.delete("/v1/roles/r3/inherits/r1").status_code == 204
    assert stage.caller().get("/readyz").status_code == 200


SHAPES = {
    "a thousand deep": (1000, "j.name = 'n' || (CAST(substr(s.name, 2) AS INTEGER) + 1)"),
    "ten thousand wide": (10_000, "s.name = 'n0' AND j.name <> 'n0'"),
}


@pytest.mark.large
@pytest.mark.parametrize(("count", "pairs"), SHAPES.values(), ids=SHAPES)
def test_dave_signs_in_with_very_many_roles_and_is_answered_in_bounded_time(
    stage: Stage, count: int, pairs: str
) -> None:
    write_roles(stage, count)
    write_edges(stage, f"substr(s.name, 1, 1) = 'n' AND substr(j.name, 1, 1) = 'n' AND {pairs}")
    alice = stage.as_(ALICE)
    alice.put(f"/v1/roles/n{count - 1}/permissions/users:read")
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/n0")
    began = thread_time()

    dave = stage.as_(DAVE)

    assert dave.get("/v1/users").status_code == 200
    assert thread_time() - began < PATIENCE, "seconds of this thread alone"
    assert len(dave.get("/v1/me").json["roles"]) == count
    assert "Authz-Stale" not in dave.get("/v1/me").headers


def write_roles(stage: Stage, count: int) -> None:
    """The roles n0, n1 … past the service, all at once."""
    when = MOMENT[stage.engine]
    stage.execute(
        f"WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i < {count - 1})"
        " INSERT INTO roles (id, name, description, system, grants, version, valid_from, updated_at)"
        f" SELECT {NEW_ID[stage.engine]}, 'n' || i, '', FALSE, 'listed', 1, {when}, {when} FROM numbers"
    )


def write_edges(stage: Stage, pairs: str) -> None:
    """Inheritance past the service, whatever it adds up to: of all roles s and j that fit."""
    stage.execute(
        "INSERT INTO role_inheritance (id, senior_id, junior_id, valid_from)"
        f" SELECT {NEW_ID[stage.engine]}, s.id, j.id, {MOMENT[stage.engine]} FROM roles s, roles j WHERE {pairs}"
    )
