"""Roles in sessions, as pure questions: with which one may begin, what an activation rests on, and until when a token may say so."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from rbac_api.decision.evaluate import (
    active_roles,
    carried_roles,
    lasting,
    reachable_permissions,
    taken_away,
    unauthorized,
)
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import (
    Activation,
    Assignment,
    Constraint,
    Mode,
    Permission,
    Role,
    SessionRoles,
    Subject,
)

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (MONDAY + timedelta(days=days) for days in (1, 2, 3, 4))
GRAPH = RoleGraph.compile(
    [Role("clerk"), Role("chief"), Role("guard"), Role("strict", requires_mfa=True)], (), [("chief", "clerk")]
)


def given(
    role: str, ends: datetime | None = None, mode: Mode = "active", starts: datetime = MONDAY
) -> Assignment:
    return Assignment(role, starts, ends, mode)


def dana(
    *held: Assignment, chosen: frozenset[str] | None = None, activations: tuple[Activation, ...] = ()
) -> Subject:
    return Subject("dana", "active", held, roles=SessionRoles(chosen, activations))


def active(role: str, starts: datetime, ends: datetime) -> tuple[Activation, ...]:
    return (Activation(role, starts, ends),)


RESTS: dict[str, tuple[Assignment, bool]] = {
    "an eligible one that was there": (given("clerk", None, "eligible"), True),
    "a senior one that was there": (given("chief", None, "eligible"), True),
    "one that counts by itself": (given("chief"), True),
    "one that was given since": (given("clerk", None, "eligible", TUESDAY), False),
    "one that is over": (given("clerk", TUESDAY, "eligible"), False),
    "one of another role": (given("guard", None, "eligible"), False),
}


@pytest.mark.parametrize(("assignment", "counts"), RESTS.values(), ids=RESTS)
def test_an_activation_counts_as_long_as_an_assignment_that_was_there(
    assignment: Assignment, counts: bool
) -> None:
    asked = dana(assignment, chosen=frozenset(), activations=active("clerk", MONDAY, THURSDAY))

    assert ("clerk" in active_roles(GRAPH, asked, WEDNESDAY)) is counts


def test_one_may_begin_with_what_is_given_and_inherited_at_this_moment() -> None:
    asked = dana(given("chief"), given("guard", None, "eligible"), given("strict"), given("clerk", TUESDAY))

    found = unauthorized(GRAPH, asked, {"chief", "clerk", "guard", "strict", "ghost"}, WEDNESDAY)

    assert found == ("ghost", "guard", "strict")
    assert unauthorized(GRAPH, dana(given("clerk", TUESDAY)), ["clerk"], WEDNESDAY) == ("clerk",)


ENDS: dict[str, tuple[Subject, datetime | None]] = {
    "nothing has an end": (dana(given("chief")), None),
    "what is held has one": (dana(given("chief", WEDNESDAY), given("guard", THURSDAY)), WEDNESDAY),
    "only what is not chosen has one": (dana(given("chief", WEDNESDAY), chosen=frozenset()), None),
    "what the chosen one comes through": (
        dana(given("chief", WEDNESDAY), given("guard"), chosen=frozenset({"clerk"})),
        WEDNESDAY,
    ),
    "only what is eligible has one": (dana(given("chief"), given("guard", WEDNESDAY, "eligible")), None),
    "the activation has one": (
        dana(given("guard", None, "eligible"), activations=active("guard", MONDAY, WEDNESDAY)),
        WEDNESDAY,
    ),
    "what it rests on has one before": (
        dana(given("guard", WEDNESDAY, "eligible"), activations=active("guard", MONDAY, THURSDAY)),
        WEDNESDAY,
    ),
    "an activation that rests on nothing": (dana(activations=active("guard", MONDAY, WEDNESDAY)), None),
}


@pytest.mark.parametrize(("asked", "until"), ENDS.values(), ids=ENDS)
def test_what_is_active_is_carried_until_the_first_thing_it_rests_on_ends(
    asked: Subject, until: datetime | None
) -> None:
    assert carried_roles(GRAPH, asked, TUESDAY, FRIDAY)[1] == (until or FRIDAY)


def test_what_ends_before_a_moment_does_not_last() -> None:
    kept, gone = given("chief", THURSDAY), given("guard", TUESDAY)
    activations = active("chief", MONDAY, TUESDAY) + active("chief", MONDAY, WEDNESDAY)

    found = lasting(dana(kept, gone, activations=activations), WEDNESDAY)

    assert (found.assignments, found.roles.activations) == ((kept,), activations[1:])
    plain = dana(given("chief"))
    assert lasting(plain, WEDNESDAY) == plain


HELD = ("clerk", "chief", "guard", "strict")
APART = Constraint("apart", "dynamic", ("clerk", "guard"), 2)
TOGETHER = Constraint("together", "dynamic", ("clerk", "chief"), 2)


def ruled(*rules: Constraint) -> RoleGraph:
    """Four roles, each with a permission of its name; Chief is above Clerk."""
    roles = [Role(name, frozenset({f"{name}:work"}), requires_mfa=name == "strict") for name in HELD]
    known = [Permission(f"{name}:work") for name in HELD]
    return RoleGraph.compile(roles, known, [("chief", "clerk")], rules)


@pytest.mark.parametrize(
    ("rules", "second_factor", "reached"),
    [
        ((), True, "chief clerk guard strict"),
        ((), False, "chief clerk guard"),
        ((APART,), False, "chief clerk guard"),  # one after the other
        ((TOGETHER,), False, "clerk guard"),  # the chief is a clerk too
    ],
)
def test_what_no_single_session_allows_may_be_within_reach(
    rules: tuple[Constraint, ...], second_factor: bool, reached: str
) -> None:
    held = tuple(given(role, mode="eligible") for role in ("chief", "guard", "strict"))
    subject = Subject("dana", "active", held, second_factor=second_factor)
    graph = ruled(*rules)

    assert reachable_permissions(graph, subject, MONDAY) == {f"{role}:work" for role in reached.split()}
    assert reachable_permissions(graph, replace(subject, status="disabled"), MONDAY) == frozenset()


def test_taken_away_is_what_a_new_session_loses_and_what_no_session_reaches() -> None:
    graph, was = ruled(), Subject("dana", "active", (given("chief"), given("guard", mode="eligible")))
    moved = replace(was, assignments=(given("chief", mode="eligible"), given("guard", mode="eligible")))

    assert taken_away((graph, was), (graph, moved), MONDAY) == {"chief:work", "clerk:work"}
    assert taken_away((graph, was), (graph, replace(was, assignments=())), MONDAY) == {
        "chief:work", "clerk:work", "guard:work",
    }  # fmt: skip
    assert taken_away((graph, was), (graph, was), MONDAY) == frozenset()
