"""Decisions, by the hundred thousand, against the reference model of the standard (``tests/journeys/rbac_model.py``).

The world of a decision has more in it than the standard: moments, eligible roles, second factors, accounts that are disabled.  ``standard``
says what of it the standard would see at that moment; ``admitted`` is the one place where we answer otherwise than it: where it would
refuse to begin a session, ours begins without the roles that do not go together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from unittest.mock import patch

import pytest

from rbac_api.decision import evaluate, hierarchy
from rbac_api.decision.evaluate import decide, in_force
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import (
    Activation,
    Assignment,
    Constraint,
    ConstraintKind,
    Permission,
    Role,
    SessionRoles,
    Status,
    Subject,
)
from tests.journeys.rbac_model import REVIEWS, Rbac
from tests.sizes import sized

SEED, DECISIONS = 359, sized(20_000, 2_000_000)  # a mistake is found in 10,000
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MOMENTS = [NOON + timedelta(hours=hours) for hours in (-3, -2, -1, 0, 1, 2)]
ROLES, PERMISSIONS = [f"r{n}" for n in range(8)], [f"thing:p{n}" for n in range(10)]


@dataclass(frozen=True)
class World:
    """Some roles, and one person in one session."""

    roles: list[Role]
    edges: list[tuple[str, str]]
    rules: list[Constraint]
    subject: Subject

    @property
    def graph(self) -> RoleGraph:
        return RoleGraph.compile(
            self.roles, [Permission(name) for name in PERMISSIONS], self.edges, self.rules
        )


def some(random: Random, names: list[str], most: int) -> frozenset[str]:
    return frozenset(random.sample(names, random.randint(0, min(most, len(names)))))


def rules(random: Random) -> Iterator[Constraint]:
    for number in range(random.choice([0, 1, 2, 3])):
        members = random.sample(ROLES, random.randint(2, 4))
        kind: ConstraintKind = random.choice(("dynamic", "dynamic", "dynamic", "static"))
        yield Constraint(f"rule-{number}", kind, tuple(members), random.choice([2, 2, len(members)]))


def subject(random: Random) -> Subject:
    assignments = tuple(
        Assignment(role, *period(random), random.choice(["active", "active", "eligible"]))
        for role in some(random, ROLES, 6)
    )
    activations = tuple(
        Activation(role, starts, starts + timedelta(hours=2))
        for role in some(random, ROLES, 5)
        for starts in [random.choice(MOMENTS)]
    )
    chosen = some(random, ROLES, 4) if random.random() < 0.4 else None
    status: Status = "active" if random.random() < 0.95 else "disabled"
    return Subject("u", status, assignments, False, random.random() < 0.7, SessionRoles(chosen, activations))


def period(random: Random) -> tuple[datetime, datetime | None]:
    starts = random.choice(MOMENTS[:5])
    return starts, random.choice([None, None, starts + timedelta(hours=random.randint(1, 4))])


def world(random: Random) -> World:
    roles = [Role(name, some(random, PERMISSIONS, 3), requires_mfa=random.random() < 0.1) for name in ROLES]
    edges = [(a, d) for a in ROLES for d in ROLES if a > d and random.random() < 0.15]
    return World(roles, edges, list(rules(random)), subject(random))


def counts(period: Assignment | Activation, at: datetime) -> bool:
    return not (at < period.starts or (period.ends is not None and at >= period.ends))


def standard(world: World, at: datetime) -> Rbac:
    """What the standard sees of it at that moment: roles, edges and assignments that count, and one session, not begun yet."""
    person = world.subject
    counting = [role for role in world.roles if person.second_factor or not role.requires_mfa]
    return Rbac(
        users=frozenset({"u"} if person.status == "active" else ()),
        roles=frozenset(role.name for role in counting),
        ua=frozenset(("u", a.role) for a in person.assignments if counts(a, at)),
        pa=frozenset((permission, role.name) for role in counting for permission in role.permissions),
        rh=frozenset(world.edges),
        sets=frozenset(
            ("Dsd", r.name, frozenset(r.roles), r.limit or 0) for r in world.rules if r.kind == "dynamic"
        ),
    ).settled()


def wishes(world: World, model: Rbac, at: datetime) -> tuple[frozenset[str], frozenset[str]]:
    """The roles to begin with: those that come by themselves, and those somebody chose."""
    person = world.subject
    by_itself = {a.role for a in person.assignments if a.mode == "active" and counts(a, at)} & model.roles
    activated = {a.role for a in person.roles.activations if counts(a, at) and allowed(model, person, a, at)}
    if person.roles.chosen is None:
        return frozenset(by_itself), frozenset(activated)
    return frozenset(), frozenset(activated | (person.roles.chosen & model.closure(by_itself)))


def allowed(model: Rbac, person: Subject, activation: Activation, at: datetime) -> bool:
    """An assignment allows it, and has done so since it was made: a role taken away and given again is not active again."""
    kept = [a.role for a in person.assignments if counts(a, at) and not a.starts > activation.starts]
    return activation.role in model.closure(model.roles.intersection(kept))


def admitted(model: Rbac, default: frozenset[str], chosen: frozenset[str]) -> frozenset[str]:
    """Of the roles to begin with, those that go together: rule by rule, first all others of the rule's give way, then the chosen too."""
    for _, _, members, n in sorted(model.sets, key=lambda row: row[1]):
        for given_up in ("default", "chosen"):
            if len(model.closure(default | chosen) & members) >= n:
                default = frozenset(r for r in default if not model.closure([r]) & members)
                if given_up == "chosen":
                    chosen = frozenset(r for r in chosen if not model.closure([r]) & members)
    return default | chosen


def answers(world: World, at: datetime) -> frozenset[str]:
    """What the standard permits in the session, at that moment."""
    model = standard(world, at)
    if not model.users:
        return frozenset()
    begun = model.run("CreateSession", "u", "s", admitted(model, *wishes(world, model, at)))
    permitted: frozenset[str] = REVIEWS["SessionPermissions"](begun, "s")
    return permitted


def disagreements(count: int, seed: int = SEED) -> list[str]:
    """Decisions of ours that are not the standard's, among so many; each with what it takes to see it again."""
    found, asked, number = [], 0, 0
    while asked < count:
        drawn = world(Random(seed * 1_000_003 + number))
        graph, number = drawn.graph, number + 1
        for at in MOMENTS:
            permitted = answers(drawn, at)
            for permission in (*PERMISSIONS, "thing:unknown"):
                asked += 1
                if decide(graph, drawn.subject, permission, at).allowed is not (permission in permitted):
                    found.append(f"world {seed}/{number - 1}: {permission} at {at:%H:%M}")
    return found


@pytest.mark.soak
def test_random_decisions_agree() -> None:
    assert disagreements(DECISIONS) == []


def test_the_worlds_are_of_every_kind() -> None:
    worlds = [world(Random(number)) for number in range(600)]
    seen = [(drawn, at, standard(drawn, at)) for drawn in worlds for at in MOMENTS]
    wanted = [(model, *wishes(drawn, model, at)) for drawn, at, model in seen if model.users]
    permitted = sum(len(answers(drawn, at)) for drawn, at, _ in seen)

    assert 0.05 < permitted / (len(seen) * len(PERMISSIONS)) < 0.5
    assert sum(admitted(*asked) != asked[1] | asked[2] for asked in wanted) > 100, (
        "sessions of roles that do not go together"
    )
    assert sum(bool(asked[1] and asked[2]) for asked in wanted) > 100, "roles by themselves and chosen ones"


def one_step_only(components: Any, juniors: Any, _others: Any) -> dict[str, frozenset[str]]:
    return {name: juniors[name] | {name} for component in components for name in component}


def eligible_counting(graph: RoleGraph, subject: Subject, at: datetime) -> frozenset[str]:
    assignments = tuple(replace(a, mode="active") for a in subject.assignments)
    return ACTIVE_ROLES(graph, replace(subject, assignments=assignments), at)


ACTIVE_ROLES = evaluate.active_roles


def mistaken(kind: type, wrong: Callable[..., bool]) -> Callable[..., bool]:
    """``in_force`` with a mistake for periods of one kind."""
    return lambda period, at: wrong(period, at) if isinstance(period, kind) else in_force(period, at)


WRONG: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "inheritance is not transitive": (hierarchy, "_effective", lambda c, j, direct, others: {
        name: held.union(*(direct[junior] for junior in j[name])) for name, held in direct.items()}),
    "nothing is inherited": (hierarchy, "_effective", lambda c, j, direct, others: direct),
    "inherited roles cannot be activated": (hierarchy, "_closures", one_step_only),
    "dynamic constraints are ignored": (evaluate, "_giving_way", lambda graph, rule, default, chosen: (default, chosen)),
    "dynamic constraints see no inherited roles": (RoleGraph, "closure_of", lambda self, roles: frozenset(roles)),
    "a role more than the limit may be active": (Constraint, "reached_by", lambda self, roles:
        len(roles.intersection(self.roles)) > (self.limit or 0)),
    "chosen roles give way with the others": (evaluate, "_giving_way", lambda graph, rule, default, chosen: (
        (default, chosen) if not rule.reached_by(graph.closure_of(default | chosen)) else (frozenset(), frozenset()))),
    "eligible roles count": (evaluate, "active_roles", eligible_counting),
    "assignments begin at once": (evaluate, "in_force", mistaken(Assignment, lambda one, at: one.ends is None or at < one.ends)),
    "assignments never end": (evaluate, "in_force", mistaken(Assignment, lambda one, at: one.starts <= at)),
    "assignments end a moment late": (evaluate, "in_force", mistaken(Assignment, lambda one, at:
        one.starts <= at and (one.ends is None or at <= one.ends))),
    "activations are ignored": (evaluate, "in_force", mistaken(Activation, lambda one, at: False)),
    "activations never end": (evaluate, "in_force", mistaken(Activation, lambda one, at: one.starts <= at)),
    "activations need no assignment": (evaluate, "_is_allowed", lambda graph, subject, activation, at: in_force(activation, at)),
    "a role given again is active again": (evaluate, "_is_allowed", lambda graph, subject, activation, at: in_force(activation, at)
        and activation.role in graph.closure_of(a.role for a in subject.assignments if in_force(a, at))),
    "second factors are not asked for": (RoleGraph, "seen_with", lambda self, second_factor: self),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_a_mistake_is_found(mistake: str) -> None:
    owner, name, wrong = WRONG[mistake]

    with patch.object(owner, name, wrong):
        assert disagreements(10_000)
