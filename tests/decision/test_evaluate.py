"""Who may what, as pure questions: a snapshot and a moment in, an answer with its reasons out."""

from datetime import UTC, datetime, timedelta

import pytest

from rbac_api.decision.evaluate import (
    MAX_CLAIM_LENGTH,
    EffectiveRole,
    always_covered,
    claimed_roles,
    decide,
    effective_permissions,
    effective_roles,
    in_force,
    missing,
    next_change,
)
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import Assignment, Permission, Role, Status, Subject

MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
TUESDAY, WEDNESDAY = MONDAY + timedelta(days=1), MONDAY + timedelta(days=2)
A_MOMENT = timedelta(microseconds=1)

GRAPH = RoleGraph.compile(
    [
        Role("clerk", frozenset({"invoices:read"})),
        Role("chief", frozenset({"invoices:approve", "gone:forever"})),
        Role("admin", grants="all"),
        Role("auditor", grants="reads"),
    ],
    [
        Permission("invoices:read"),
        Permission("invoices:approve"),
        Permission("users:read", system=True),
        Permission("users:create", system=True),
        Permission("rbac:escalate", system=True),
    ],
    [("chief", "clerk")],
)


def dana(*assignments: Assignment, status: Status = "active") -> Subject:
    return Subject("dana", status, assignments)


HOLDINGS = {
    "a clerk reads invoices": ("clerk", {"invoices:read"}),
    "a chief holds what the clerk holds, and nothing that was deleted": (
        "chief",
        {"invoices:read", "invoices:approve"},
    ),
    "an administrator holds everything there is": (
        "admin",
        {"invoices:read", "invoices:approve", "users:read", "users:create", "rbac:escalate"},
    ),
    "an auditor reads this service, and no application": ("auditor", {"users:read"}),
    "a role that does not exist grants nothing": ("ghost", set()),
}


@pytest.mark.parametrize(("role", "held"), HOLDINGS.values(), ids=HOLDINGS)
def test_dana_holds_what_her_role_adds_up_to(role: str, held: set[str]) -> None:
    assert effective_permissions(GRAPH, dana(Assignment(role, MONDAY)), MONDAY) == held


DECISIONS = {
    "she holds it directly": (dana(Assignment("clerk", MONDAY)), "invoices:read", True, ["granted"]),
    "she inherits it": (dana(Assignment("chief", MONDAY)), "invoices:read", True, ["granted"]),
    "two roles grant it": (
        dana(Assignment("clerk", MONDAY), Assignment("chief", MONDAY)),
        "invoices:read",
        True,
        ["granted", "granted"],
    ),
    "nothing grants it": (dana(Assignment("clerk", MONDAY)), "invoices:approve", False, ["nothing-grants"]),
    "she holds nothing": (dana(), "invoices:read", False, ["nothing-grants"]),
    "nobody is asked for anything": (dana(), None, True, ["signed-in"]),
    "it does not exist, not even for an administrator": (
        dana(Assignment("admin", MONDAY)),
        "gone:forever",
        False,
        ["nothing-grants"],
    ),
    "her role begins tomorrow": (
        dana(Assignment("clerk", WEDNESDAY)),
        "invoices:read",
        False,
        ["not-started", "nothing-grants"],
    ),
    "her role ended yesterday": (
        dana(Assignment("clerk", MONDAY, MONDAY + A_MOMENT)),
        "invoices:read",
        False,
        ["expired", "nothing-grants"],
    ),
    "another role of hers begins tomorrow": (
        dana(Assignment("auditor", WEDNESDAY)),
        "invoices:read",
        False,
        ["nothing-grants"],
    ),
    "she is disabled": (
        dana(Assignment("admin", MONDAY), status="disabled"),
        "invoices:read",
        False,
        ["disabled"],
    ),
    "she is deleted, and nothing was asked for": (dana(status="deleted"), None, False, ["disabled"]),
}


@pytest.mark.parametrize(("subject", "permission", "allowed", "codes"), DECISIONS.values(), ids=DECISIONS)
def test_dana_is_answered_with_reasons(
    subject: Subject, permission: str | None, allowed: bool, codes: list[str]
) -> None:
    decision = decide(GRAPH, subject, permission, TUESDAY)

    assert decision.allowed is allowed
    assert [reason.code for reason in decision.reasons] == codes
    assert all(reason.detail for reason in decision.reasons)


def test_dana_learns_through_which_of_her_roles_she_has_another() -> None:
    both = dana(Assignment("clerk", MONDAY), Assignment("chief", MONDAY))

    found = effective_roles(GRAPH, both, MONDAY)

    assert [(role.role, role.via) for role in found] == [("chief", ("chief",)), ("clerk", ("chief", "clerk"))]


def test_danas_token_names_her_effective_roles_or_if_those_are_too_many_the_assigned_ones_that_fit() -> None:
    juniors = [EffectiveRole(f"junior-{number}", ("chief",)) for number in range(1000)]
    assigned = [EffectiveRole(f"role-{number:04}", (f"role-{number:04}",)) for number in range(1000)]

    assert claimed_roles([]) == ()
    assert claimed_roles(juniors[:9]) == tuple(role.role for role in juniors[:9])
    assert claimed_roles([EffectiveRole("chief", ("chief",)), *juniors]) == ("chief",)
    named = claimed_roles(assigned)
    assert named == tuple(role.role for role in assigned[: len(named)])
    assert MAX_CLAIM_LENGTH - 12 < len(str(list(named)).replace(" ", "")) <= MAX_CLAIM_LENGTH


def test_danas_role_counts_from_its_first_moment_until_just_before_its_last() -> None:
    assignment = Assignment("clerk", TUESDAY, WEDNESDAY)
    moments = [TUESDAY - A_MOMENT, TUESDAY, WEDNESDAY - A_MOMENT, WEDNESDAY]

    assert [in_force(assignment, moment) for moment in moments] == [False, True, True, False]


def test_danas_standing_is_good_until_the_next_role_begins_or_ends() -> None:
    subject = dana(Assignment("clerk", MONDAY, WEDNESDAY), Assignment("chief", TUESDAY))

    assert next_change(subject, MONDAY) == TUESDAY
    assert next_change(subject, TUESDAY) == WEDNESDAY
    assert next_change(subject, WEDNESDAY) is None


def test_nobody_hands_out_what_she_does_not_hold_unless_she_may_escalate() -> None:
    wanted = ["users:read", "invoices:read", "users:create"]

    assert missing(frozenset({"invoices:read"}), wanted) == ("users:create", "users:read")
    assert missing(frozenset(wanted), wanted) == ()
    assert missing(frozenset({"rbac:escalate"}), wanted) == ()


COVERAGE = {
    "nobody at all": ([], False),
    "one without an end": ([Assignment("admin", MONDAY)], True),
    "one who begins tomorrow": ([Assignment("admin", WEDNESDAY)], False),
    "one whose end is already set": ([Assignment("admin", MONDAY, WEDNESDAY)], False),
    "one who ends as another begins": (
        [Assignment("admin", MONDAY, WEDNESDAY), Assignment("admin", WEDNESDAY)],
        True,
    ),
    "a gap of a moment": (
        [Assignment("admin", MONDAY, WEDNESDAY), Assignment("admin", WEDNESDAY + A_MOMENT)],
        False,
    ),
    "a short one inside a long one that ends": (
        [Assignment("admin", MONDAY, WEDNESDAY), Assignment("admin", MONDAY, TUESDAY)],
        False,
    ),
    "a chain in any order": (
        [Assignment("admin", WEDNESDAY), Assignment("admin", MONDAY, WEDNESDAY)],
        True,
    ),
}


@pytest.mark.parametrize(("assignments", "covered"), COVERAGE.values(), ids=COVERAGE)
def test_somebody_administrates_at_every_moment_from_now_on(
    assignments: list[Assignment], covered: bool
) -> None:
    assert always_covered(assignments, TUESDAY) is covered
