"""A worker that reads only the roles that changed has what reading all of them gives, now and as of any moment."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event

from rbac_api import clock
from rbac_api.capabilities.policy.service import SYSTEM, read_file, reconcile_system
from rbac_api.cli.prepare import operator_unit
from rbac_api.decision.hierarchy import RoleChanges, RoleGraph
from rbac_api.guard.state import queries, queries_history, queries_role_graph
from rbac_api.guard.state import role_graphs as module
from rbac_api.trail.feed import Delta, Invalidation, Position
from tests.builders import Caller, Stage
from tests.cast import ALICE
from tests.sizes import sized

CHANGES = sized(160, 4_000)
ROLES = [f"made-{number}" for number in range(6)]
THINGS = ["invoices:pay", "invoices:read", "extra:use"]
NEWER = replace(RoleGraph.compile(()), revision=2**62)  # than any rows: the past is then read whole


class Chance:
    """Changes of roles by Alice; some are refused."""

    def __init__(self, alice: Caller, seed: int) -> None:
        self.alice, self.random = alice, random.Random(seed)
        self.done: set[str] = set()

    def change(self) -> None:
        changes = (self.role, self.edge, self.edge, self.grant, self.grant, self.grant, self.rule)
        answer = self.random.choice((*changes, self.permission, self.permission, self.strict, self.policy))()
        assert answer.status_code < 500
        if answer.status_code < 300:
            self.done.add(f"{answer.request.method} {answer.request.path.split('/')[2]}")

    def one(self) -> str:
        return f"/v1/roles/{self.random.choice(ROLES)}"

    def either(self, path: str) -> Any:
        return self.alice.call(self.random.choice(("PUT", "PUT", "DELETE")), path)

    def if_there(self, method: str, query: str = "", **options: Any) -> Any:
        path = self.one()
        tag = self.alice.get(path).headers.get("ETag", '"none"')
        return self.alice.call(method, path + query, headers={"If-Match": tag}, **options)

    def role(self) -> Any:
        if self.random.random() < 0.4:
            return self.if_there("DELETE", "?force=true")
        body = {"name": self.random.choice(ROLES), "permissions": self.random.sample(THINGS[:2], 1)}
        return self.alice.post("/v1/roles", json=body)

    def edge(self) -> Any:
        return self.either(f"{self.one()}/inherits/{self.random.choice(ROLES)}")

    def grant(self) -> Any:
        return self.either(f"{self.one()}/permissions/{self.random.choice(THINGS)}")

    def permission(self) -> Any:
        if self.random.random() < 0.5:
            return self.alice.delete("/v1/permissions/extra:use?force=true")
        return self.alice.post("/v1/permissions", json={"name": "extra:use", "description": "Use."})

    def rule(self) -> Any:
        if self.random.random() < 0.5:
            return self.alice.delete("/v1/constraints/rule")
        body = {"name": "rule", "kind": "dynamic", "roles": self.random.sample(ROLES, 2), "limit": 2}
        return self.alice.post("/v1/constraints", json=body)

    def strict(self) -> Any:
        return self.if_there("PATCH", json={"requires_mfa": self.random.random() < 0.5})

    def policy(self) -> Any:
        names = self.random.sample(ROLES, 3)
        roles = [
            {"name": names[0], "permissions": ["invoices:read"], "inherits": names[1:2]},
            {"name": names[1], "permissions": []},
            {"name": names[2], "permissions": ["invoices:pay"]},
        ]
        tag = self.alice.get("/v1/policy", headers={"Accept": "application/json"}).headers["ETag"]
        return self.alice.post("/v1/policy/apply", json={"roles": roles}, headers={"If-Match": tag})


def all_roles(stage: Stage, at: datetime | None = None) -> RoleGraph:
    with stage.database.one_moment() as connection:
        if at is None:
            return queries.find_role_graph(connection)
        return queries_history.find_role_graph_at(connection, NEWER, at)


def differing(stage: Stage, seed: int, changes: int) -> str | None:
    """The first change after which memory differs from the rows, or the past from what was read of it then."""
    chance, memory = Chance(stage.as_(ALICE), seed), stage.guard.snapshot
    for thing in THINGS:
        chance.alice.post("/v1/permissions", json={"name": thing, "description": "Made."})
    moments: list[datetime] = []
    memory.graph()
    for number in range(changes):
        moments.append(clock.now())
        chance.change()
        memory.freshen()
        if memory.roles.current != all_roles(stage):
            return f"change {number}: now"
        at = chance.random.choice(moments if number % 2 else moments[-4:])
        with stage.database.reading() as connection:
            if memory.roles.at(connection, memory.graph(), at) != all_roles(stage, at):
                return f"change {number}: as of {at}"
    assert {
        "PUT roles",
        "DELETE roles",
        "POST policy",
        "POST constraints",
        "DELETE permissions",
    } <= chance.done
    return None


@pytest.mark.soak
def test_roles_changed_in_place_equal_all_rows_read_anew_now_and_as_of_any_moment(stage: Stage) -> None:
    assert differing(stage, 1, CHANGES) is None


READ: Any = queries_role_graph.read_changes
MISTAKES: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "roles that hold a permission which begins again are not read": (
        queries_role_graph, "_list_holders", lambda *_: frozenset()),
    "constraints stay as they were": (
        queries, "read_changes", lambda *given: replace(READ(*given), constraints=None)),
    "what ended since a moment is not looked for": (
        queries_history, "_moved", lambda part, table, source, at: [
            queries_history.select(queries_history.literal(part), queries_history.roles.c.name).where(
                queries_history.roles.c.valid_from > at)] * 2),
    "what a role inherits is not read": (
        queries_role_graph, "_by_role", lambda c, q, column, found: dict.fromkeys(found, frozenset())),
}  # fmt: skip


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_reading_changed_roles_is_found(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    """The vulnerable twins."""
    monkeypatch.setattr(*MISTAKES[mistake])

    assert differing(stage, 1, 160) is not None


@pytest.fixture
def statements(stage: Stage) -> Iterator[list[str]]:
    found: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        found.append(statement)

    event.listen(stage.database.engine, "before_cursor_execute", note)
    yield found
    event.remove(stage.database.engine, "before_cursor_execute", note)


def test_after_a_change_of_a_role_a_worker_reads_that_role_and_no_other(
    stage: Stage, statements: list[str]
) -> None:
    alice, memory = stage.as_(ALICE), stage.guard.snapshot
    alice.put("/v1/roles/role-manager/permissions/payments:release")
    memory.freshen()
    memory.graph()
    alice.delete("/v1/roles/role-manager/permissions/payments:release")
    statements.clear()

    memory.freshen()

    read = [
        one for one in statements if "FROM roles" in one or "role_permissions" in one or "role_inh" in one
    ]
    assert len(read) == 3
    assert all(" IN (" in one for one in read)


def test_a_reader_keeps_the_version_it_has(stage: Stage) -> None:
    alice, memory = stage.as_(ALICE), stage.guard.snapshot
    memory.freshen()
    before = memory.graph()
    held, revision = before.effective["role-manager"], before.revision

    alice.put("/v1/roles/role-manager/permissions/payments:release")
    memory.freshen()

    assert before.effective["role-manager"] == held
    assert memory.graph().effective["role-manager"] == held | {"payments:release"}
    assert memory.graph().revision > revision


def test_the_past_is_read_from_all_rows_by_a_reader_whose_rows_are_older_than_memory(stage: Stage) -> None:
    alice, memory = stage.as_(ALICE), stage.guard.snapshot
    with stage.database.one_moment() as connection:
        queries.find_role_graph(connection)  # from here on the connection sees this moment
        at = clock.now()
        alice.put("/v1/roles/role-manager/permissions/payments:release")
        memory.freshen()
        present = memory.graph()

        assert "payments:release" in present.effective["role-manager"]
        found = memory.roles.at(connection, present, at)

    assert "payments:release" not in found.effective["role-manager"]


def test_a_few_moments_are_remembered_until_a_role_changes(stage: Stage, statements: list[str]) -> None:
    alice, memory = stage.as_(ALICE), stage.guard.snapshot
    path = f"/v1/roles/auditor?at={clock.rfc3339(clock.now())}"
    alice.get(path)
    statements.clear()
    alice.get(path)
    assert not [one for one in statements if "role_inheritance" in one]

    alice.put("/v1/roles/role-manager/permissions/payments:release")
    statements.clear()
    alice.get(path)
    assert [one for one in statements if "UNION" in one]

    for _ in range(2 * module.MAX_PAST_GRAPHS):
        alice.get(f"/v1/roles/auditor?at={clock.rfc3339(clock.now())}")
    assert len(memory.roles._past) == module.MAX_PAST_GRAPHS


def test_a_role_that_is_in_force_again_is_inherited_again(stage: Stage) -> None:
    """Only a direct change of the database ends a built-in role; a start puts it in force again."""
    alice, memory = stage.as_(ALICE), stage.guard.snapshot
    alice.post("/v1/roles", json={"name": "made-1"})
    alice.put("/v1/roles/made-1/inherits/auditor")
    stage.execute("UPDATE roles SET valid_to = '2026-01-01 00:00:00' WHERE name = 'auditor'")
    memory.forget()
    memory.freshen()
    assert memory.graph().juniors["made-1"] == frozenset()

    with operator_unit(stage.settings, stage.database, system=True) as clearance:
        reconcile_system(clearance, read_file(SYSTEM))
    memory.freshen()

    assert memory.roles.current is not None
    assert memory.roles.current.juniors["made-1"] == {"auditor"}
    assert memory.roles.current == all_roles(stage)


def test_roles_that_were_read_later_than_a_tail_stay_as_they_are(stage: Stage) -> None:
    """Two threads bring memory up to date: one read the roles after the tail that the other applies."""
    graphs, later = module.RoleGraphs(), replace(all_roles(stage), revision=10)
    graphs.keep(later)
    tail = Delta(Position(9, "hash"), (Invalidation("grants", "auditor", "role"),), complete=True)

    graphs.apply(tail, RoleChanges({"auditor": None}))

    assert graphs.current is later
