"""What a token and the document of roles permit is what the service permits: the same answer for every user and permission.

Random roles, hierarchies with cycles, second factors, chosen roles, activations, dynamic constraints, and assignments that begin and end
while the token is valid.  The token is made as the service makes it, the document is written by the service and read by the verifier.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from unittest.mock import patch

import pytest

from rbac_api.decision import evaluate
from rbac_api.decision.evaluate import carried_roles, claimed_roles, decide, effective_roles
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import (
    Activation,
    Assignment,
    Constraint,
    Permission,
    Role,
    SessionRoles,
    Subject,
)
from rbac_api.guard.state import published_roles
from rbac_api.guard.state.published_roles import PublishedRoles
from rbac_verifier.roles import Roles, _roles
from tests.sizes import sized

GRAPHS, USERS = 200, sized(6, 60)
QUESTIONS = 17  # permissions asked about per user: 200 * 60 * 17 = 204,000 in `make soak`
NOW = datetime(2026, 11, 30, 12, 0, 7, 400_000, tzinfo=UTC)
LIFETIME = timedelta(minutes=15)
ROLES = [f"r{number}" for number in range(9)]
NAMES = [f"thing:p{number}" for number in range(QUESTIONS - 2)] + ["thing:read", "thing:unknown"]
STARTS = [-3600, -1, -0.4, 0, 0.3, 0.6, 1, 30, 30.5, 300, 899, 900]  # seconds from now


@dataclass
class Found:
    """What was compared."""

    pairs: int = 0
    differences: int = 0
    allowed: int = 0
    incomplete: int = 0
    later: int = 0  # a role has begun since the token was issued: a no may be a yes after the next refresh


def graph_of(random: Random) -> RoleGraph:
    roles = [
        Role(
            name,
            frozenset(random.sample(NAMES[:-1], random.randrange(4))),
            random.choices(["listed", "all", "reads"], [30, 1, 1])[0],  # type: ignore[arg-type]
            random.random() < 0.2,
        )
        for name in ROLES
    ]
    edges = [(random.choice(ROLES), random.choice(ROLES)) for _ in range(random.randrange(12))]
    rules = [
        Constraint(f"rule-{number}", "dynamic", tuple(random.sample(ROLES, 3)), random.choice([2, 2, 3]))
        for number in range(random.choice([0, 1, 2]))
    ]
    catalogue = [Permission(name, system=name.endswith("read")) for name in NAMES[:-1]]
    return RoleGraph.compile(roles, catalogue, edges, rules)


def moment(random: Random) -> datetime:
    return NOW + timedelta(seconds=random.choice(STARTS))


def subject_of(random: Random) -> Subject:
    assignments = []
    for role in random.sample(ROLES, random.randrange(5)):
        starts = moment(random) if random.random() < 0.4 else NOW - timedelta(days=1)
        ends = max(starts, moment(random)) + timedelta(seconds=1) if random.random() < 0.4 else None
        assignments.append(Assignment(role, starts, ends, random.choice(["active", "active", "eligible"])))
    activations = tuple(
        Activation(role, NOW - timedelta(seconds=random.choice([0, 60])), moment(random) + timedelta(1))
        for role in random.sample(ROLES, random.randrange(3))
    )
    chosen = frozenset(random.sample(ROLES, 3)) if random.random() < 0.3 else None
    status = "active" if random.random() < 0.97 else "disabled"
    return Subject(
        "u", status, tuple(assignments), False, random.random() < 0.5, SessionRoles(chosen, activations)
    )


def document_of(graph: RoleGraph) -> Roles:
    """The document as the service writes it and the verifier reads it."""
    text = PublishedRoles().text_of(graph)
    read = _roles({"iat": 1, "revision": 7, "roles": json.loads(text.json)})
    assert read.digest == text.digest
    return read


def compare(found: Found, random: Random, graph: RoleGraph, document: Roles, subject: Subject) -> None:
    effective, ends = carried_roles(graph, subject, NOW, NOW + LIFETIME)
    claims = claimed_roles(effective)
    second = NOW.replace(microsecond=0) + timedelta(seconds=1)
    ends = ends.replace(microsecond=0)  # as in `exp`
    turns = [turn for turn in (NOW + timedelta(seconds=each) for each in STARTS) if second <= turn < ends]
    for at in (NOW, *turns):
        gained = {role.role for role in effective_roles(graph, subject, at)} - {r.role for r in effective}
        for permission in NAMES:
            offline = document.permit(claims, permission)
            online = decide(graph, subject, permission, at).allowed
            found.pairs += 1
            found.allowed += online
            if len(claims) < len(effective) and not offline:
                found.incomplete += 1
            elif gained:
                found.differences += offline and not online
                found.later += online and not offline
            else:
                found.differences += offline != online


def run(users: int, seeds: range) -> Found:
    found = Found()
    for seed in seeds:
        random = Random(seed)
        graph = graph_of(random)
        document = document_of(graph)
        for _ in range(users):
            compare(found, random, graph, document, subject_of(random))
    return found


@pytest.mark.soak
def test_offline_and_online_give_the_same_answer_to_everybody_about_everything() -> None:
    found = run(USERS, range(GRAPHS))

    assert found.differences == 0
    assert found.pairs >= GRAPHS * USERS * QUESTIONS
    assert found.allowed > found.pairs // 20
    assert found.incomplete == 0
    assert found.later < found.pairs // 20


@pytest.mark.soak
def test_where_not_all_roles_fit_a_yes_is_still_right_and_a_no_is_not_given() -> None:
    with patch.object(evaluate, "MAX_CLAIM_LENGTH", 11):  # two of these roles
        found = run(USERS, range(GRAPHS))

    assert found.differences == 0
    assert found.incomplete > found.pairs // 50


def ends_only(graph: RoleGraph, subject: Subject, at: datetime, until: datetime) -> object:
    """The twin that knows no beginnings: its token names what is effective now until an assignment ends."""
    ends = [a.ends for a in (*subject.assignments, *subject.roles.activations) if a.ends and a.ends > at]
    return effective_roles(graph, subject, at), min([*ends, until])


TWINS: dict[str, tuple[object, str, Callable[..., object]]] = {
    "it writes what a role holds with a second factor": (
        published_roles,
        "published_permissions",
        lambda graph: dict(graph.effective),
    ),
    "it writes what a role lists": (
        published_roles,
        "published_permissions",
        lambda graph: {name: role.permissions for name, role in graph.roles.items()},
    ),
    "its tokens outlive a beginning that takes roles away": (
        sys.modules[__name__],
        "carried_roles",
        ends_only,
    ),
}


@pytest.mark.parametrize("name", TWINS)
def test_a_service_would_be_found_if(name: str) -> None:
    owner, attribute, twin = TWINS[name]
    with patch.object(owner, attribute, twin):
        assert run(6, range(60)).differences > 0
