"""Those whom the queries pick out are all who matter: the same verdict as looking at everybody (a differential test over random rows)."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import insert

from rbac_api import clock
from rbac_api.capabilities.constraints import queries
from rbac_api.capabilities.constraints.violations import Change, ConstraintChecker
from rbac_api.database.tables import assignments
from rbac_api.database.types import new_id
from rbac_api.decision.model import Constraint
from rbac_api.decision.separation_of_duty import Violation, violations
from rbac_api.guard.state.queries import find_role_graph
from tests.builders import Stage
from tests.capabilities.constraints.rules import inherit, make_roles, write_people
from tests.cast import ALICE

PEOPLE, RULES, DAYS = 40, 60, (None, -3, -1, 1, 2, 4, 6)
NAMES = ("aa", "bb", "cc", "dd", "ab", "top")
EDGES = (("ab", "aa"), ("ab", "bb"), ("top", "ab"), ("top", "cc"))
FACTS = tuple[str, tuple[str, ...], str | None]


def deal(stage: Stage, chance: random.Random) -> None:
    """Random assignments, past and to come, with and without an end, also such as no request could bring about."""
    now, rows = clock.now(), []
    role_ids = dict(stage.query("SELECT name, id FROM roles"))
    people = [row[0] for row in stage.query("SELECT id FROM users WHERE substr(username, 1, 6) = 'crowd-'")]
    for person in people:
        for role in chance.sample(NAMES, chance.randint(0, 4)):
            since, until = chance.choice((-9, -5, -2, 1, 3)), chance.choice(DAYS)
            ends = None if until is None or until < since else now + timedelta(days=until)
            rows.append({
                "id": new_id(), "user_id": str(person), "role_id": str(role_ids[role]), "valid_from": now + timedelta(days=since),
                "valid_to": ends, "assigned_at": now, "mode": chance.choice(("active", "eligible")),
            })  # fmt: skip
    with stage.database.writing() as connection:
        connection.execute(insert(assignments), rows)


def rules(chance: random.Random) -> list[Constraint]:
    found = []
    for number in range(RULES):
        kind = chance.choice(("static", "requires", "max-holders"))
        roles = tuple(chance.sample(NAMES, chance.randint(2, 4)))
        limit = {
            "static": chance.randint(2, len(roles)),
            "requires": None,
            "max-holders": chance.randint(1, 40),
        }[kind]
        found.append(Constraint(f"r{number}", kind, roles, limit))  # type: ignore[arg-type]
    return found


def told(found: list[Violation], kind: str) -> set[FACTS]:
    """Who, which roles, until when; of a crowd only in which roles there is one, for those who stay are counted, not looked at."""
    if kind == "max-holders":
        return {("", violation.roles, None) for violation in found}
    return {(v.user_id or "", v.roles, clock.rfc3339(v.until) if v.until else None) for v in found}


def test_the_verdict_is_the_same_as_looking_at_everybody(stage: Stage) -> None:
    alice, chance = stage.as_(ALICE), random.Random(20261123)
    make_roles(alice, *NAMES)
    for senior, junior in EDGES:
        inherit(alice, senior, junior)
    write_people(stage, PEOPLE)
    deal(stage, chance)
    broken = 0

    with stage.database.streaming() as connection:
        judge = ConstraintChecker(connection, find_role_graph(connection), clock.now())
        everybody = list(queries.list_holders(connection, judge.at, None))
        for rule in rules(chance):
            expected = told(list(violations(judge.graph, rule, everybody, judge.at)), rule.kind)
            assert told(list(judge.breaking(rule)), rule.kind) == expected, rule
            broken += bool(expected)

    assert RULES * 0.3 < broken < RULES, "some are broken and some are not"


def test_of_one_person_or_one_role_only_what_concerns_it_is_told(stage: Stage) -> None:
    alice, chance = stage.as_(ALICE), random.Random(7)
    make_roles(alice, *NAMES)
    for senior, junior in EDGES:
        inherit(alice, senior, junior)
    write_people(stage, PEOPLE)
    deal(stage, chance)

    with stage.database.streaming() as connection:
        graph = find_role_graph(connection)
        judge = ConstraintChecker(connection, replace(graph, constraints=tuple(rules(chance))), clock.now())
        everybody = list(queries.list_holders(connection, judge.at, None))
        for holder in everybody[:10]:
            found = list(judge.broken_by([Change(frozenset({holder.id}))]))
            personal = [rule for rule in judge.graph.constraints if rule.kind != "max-holders"]
            expected = [v for rule in personal for v in violations(graph, rule, [holder], judge.at)]
            assert [v for v in found if v.user_id] == expected
        holders = {h.id for h in everybody if any(a.role in ("ab", "top") for a in h.assignments)}
        through = {v.user_id for v in judge.broken_by([Change(through="ab", roles=frozenset({"aa"}))])}
        assert through - {None} <= holders


def test_a_crowd_without_a_limit_is_none(stage: Stage) -> None:
    """No such row comes from the service."""
    with stage.database.streaming() as connection:
        judge = ConstraintChecker(connection, find_role_graph(connection), clock.now())
        assert list(judge.breaking(Constraint("bare", "max-holders", ("admin",)))) == []
