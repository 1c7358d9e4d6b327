"""Where an assignment counts: at its domain and below, and nowhere else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from unittest.mock import patch

import pytest

from rbac_api.decision import domains
from rbac_api.decision.domains import (
    at_domain,
    counting_at,
    holds_below,
    lineage,
    nearest,
    outermost,
    parent_of,
)
from rbac_api.decision.evaluate import decide, holding
from rbac_api.decision.hierarchy import RoleGraph
from rbac_api.decision.model import ROOT, Assignment, Constraint, Permission, Role, SessionRoles, Subject
from rbac_api.decision.naming import DOMAIN
from rbac_api.decision.separation_of_duty import Holder, violations
from tests.decision.domain_model import Model, asked_about, grown
from tests.sizes import sized

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
BEFORE = NOON - timedelta(hours=1)
DECISIONS = sized(20_000, 2_000_000)
ROLES = {
    "clerk": {"invoices:read"},
    "chief": {"invoices:read", "invoices:approve"},
    "payer": {"payments:release"},
}
GRAPH = RoleGraph.compile(
    [Role(name, frozenset(held)) for name, held in ROLES.items()],
    permissions=[Permission(name) for name in {one for held in ROLES.values() for one in held}],
)
LONGEST = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 63])


def at(role: str, domain: str) -> Assignment:
    return Assignment(role, BEFORE, domain=domain)


def person(*held: Assignment) -> Subject:
    return holding(Subject("dave", "active"), held)


def may(subject: Subject, permission: str, domain: str) -> bool:
    return decide(GRAPH, at_domain(subject, domain), permission, NOON).allowed


@pytest.mark.parametrize(
    ("asked", "allowed"),
    [
        ("acme", True), ("acme.eu", True), ("acme.eu.shop-1", True), (ROOT, False), ("acme2", False), ("acme-2", False), ("ac", False),
        ("globex", False), ("globex.acme", False), ("eu", False), ("", False), ("acmeX", False), ("ACME", False), ("root.acme", False),
    ],
)  # fmt: skip
def test_an_assignment_counts_at_its_domain_and_below_and_nowhere_else(asked: str, allowed: bool) -> None:
    assert may(person(at("clerk", "acme")), "invoices:read", asked) == allowed


def test_an_assignment_at_root_counts_everywhere() -> None:
    assert all(may(person(at("clerk", ROOT)), "invoices:read", asked) for asked in (ROOT, "acme", "acme.eu"))


def test_what_is_elsewhere_changes_nothing_for_one_who_has_no_other_domains() -> None:
    subject = person(at("clerk", ROOT))
    assert at_domain(subject, "acme") is subject


def test_a_domain_has_its_ancestors_by_name() -> None:
    assert lineage("acme.eu.shop") == ("acme.eu.shop", "acme.eu", "acme", ROOT)
    assert lineage(ROOT) == (ROOT,)
    assert (parent_of("acme.eu"), parent_of("acme"), parent_of(ROOT)) == ("acme", ROOT, ROOT)
    assert nearest("acme.eu.shop", {"acme", "acme.e"}) == "acme"
    assert nearest("globex", {"acme"}) == ROOT


@pytest.mark.parametrize(
    "name", ["root", "a", "acme", "acme.eu", "0", "a-", "a.b.c.d.e.f.g.h", "x" * 63, LONGEST]
)
def test_a_name_that_is_allowed(name: str) -> None:
    assert DOMAIN.problem(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "", "Acme", "ACME", "acme.EU", ".acme", "acme.", "acme..eu", "-acme", "acme.-eu", "root.acme", "acme eu", "acme\n", "acme/eu",
        "acme_eu",
        "açme", "аcme", "acme\u200d", "acme\u3002eu", "ａcme", "x" * 64, "a.b.c.d.e.f.g.h.i", LONGEST + ".e", "acme%", "acme.*", "..",
    ],
)  # fmt: skip
def test_a_name_that_is_not(name: str) -> None:
    assert DOMAIN.problem(name)


def disagreement(seed: int, decisions: int) -> tuple[str, str, str] | None:
    """The first of these random questions to which decision and model answer differently."""
    random = Random(seed)
    for _ in range(decisions // 100):
        model = Model(grown(random, random.randint(1, 12)), {name: set(held) for name, held in ROLES.items()})
        held = [
            (random.choice(sorted(ROLES)), random.choice(sorted(model.tree.parent)))
            for _ in range(random.randint(0, 4))
        ]
        model.given = {("dave", role, domain) for role, domain in held}
        subject = person(*(at(role, domain) for role, domain in held))
        for _ in range(100):
            asked, permission = (
                asked_about(random, model.tree),
                random.choice(("invoices:read", "payments:release")),
            )
            known = asked in model.tree.parent  # whether there is such a domain is asked before a decision
            if (known and may(subject, permission, asked)) != model.may("dave", permission, asked):
                return str(held), permission, asked
    return None


@pytest.mark.soak
def test_decisions_agree_with_the_model_of_the_contract() -> None:
    assert disagreement(14, DECISIONS) is None


def leak(seed: int, decisions: int) -> tuple[str, str, str] | None:
    """The first of these random questions that a session at a domain answers in another way than it should:
    as any session inside its domain, with no outside it."""
    random = Random(seed)
    for _ in range(decisions // 100):
        tree = grown(random, random.randint(1, 12))
        names = sorted(tree.parent)
        acting = random.choice(names)
        held = [at(random.choice(sorted(ROLES)), random.choice(names)) for _ in range(random.randint(0, 4))]
        there = holding(replace(person(), roles=SessionRoles(domain=acting)), held)
        for _ in range(100):
            asked, permission = (
                asked_about(random, tree),
                random.choice(("invoices:read", "payments:release")),
            )
            inside = asked in tree.parent and acting in tree.path(asked)
            expected = inside and may(person(*held), permission, asked)
            if asked in tree.parent and may(there, permission, asked) != expected:
                return acting, permission, asked
    return None


@pytest.mark.soak
def test_a_session_at_a_domain_decides_inside_it_as_any_other_and_holds_nothing_outside() -> None:
    assert leak(15, DECISIONS) is None


@pytest.mark.parametrize(
    ("attribute", "wrong"),
    [
        ("is_in", lambda _domain, _other: True),
        ("is_in", lambda domain, other: other == ROOT or domain.startswith(other)),
        ("is_in", lambda domain, other: domain == other),
    ],
)
def test_the_model_finds_a_wrong_session(attribute: str, wrong: object) -> None:
    with patch.object(domains, attribute, wrong):
        assert leak(15, 20_000) is not None


def test_more_may_count_below_a_session_where_there_is_an_assignment() -> None:
    for acting, below in ((ROOT, True), ("acme", True), ("acme.eu", False), ("globex", False)):
        bare = replace(person(), roles=SessionRoles(domain=acting))
        assert holds_below(holding(bare, [at("clerk", ROOT), at("clerk", "acme.eu")])) == below
        assert not holds_below(holding(bare, [at("clerk", ROOT), at("clerk", acting)]))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda domain: (*(domain[:n] for n in range(len(domain), 0, -1)), ROOT),  # prefixes of letters
        lambda domain: (domain, ROOT),  # no ancestors between
        lambda domain: lineage(domain)[1:],  # without the domain itself
    ],
)  # fmt: skip
def test_the_model_finds_a_wrong_lineage(wrong: object) -> None:
    with patch.object(domains, "lineage", wrong):
        assert disagreement(14, 20_000) is not None


# -- constraints ---------------------------------------------------------------------------------------------

APART = Constraint("apart", "static", ("clerk", "payer"), 2)


def found(rule: Constraint, *holders: Holder) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.domain, one.roles) for one in violations(GRAPH, rule, holders, NOON)]


def test_a_constraint_judges_each_domain_with_its_ancestors() -> None:
    assert found(APART, Holder("d", "dave", (at("clerk", "acme"), at("payer", "globex")))) == []
    assert found(APART, Holder("d", "dave", (at("clerk", "acme"), at("payer", "acme2")))) == []
    assert found(APART, Holder("d", "dave", (at("clerk", ROOT), at("payer", "acme")))) == [
        ("acme", APART.roles)
    ]
    assert found(APART, Holder("d", "dave", (at("clerk", "acme"), at("payer", "acme.eu")))) == [
        ("acme.eu", APART.roles)
    ]
    both = Holder("d", "dave", (at("clerk", ROOT), at("payer", ROOT), at("chief", "acme")))
    assert found(APART, both) == [(ROOT, APART.roles)]
    again = Holder("d", "dave", (at("clerk", ROOT), at("payer", ROOT), at("clerk", "acme")))
    assert found(APART, again) == [(ROOT, APART.roles)]


def test_a_limit_counts_the_holders_of_each_domain_with_those_above() -> None:
    rule = Constraint("one", "max-holders", ("payer",), 1)
    here, there = Holder("a", "ann", (at("payer", "acme"),)), Holder("b", "bo", (at("payer", "globex"),))
    assert found(rule, here, there) == []
    assert found(rule, here, Holder("b", "bo", (at("payer", ROOT),))) == [("acme", ("payer",))]
    assert found(rule, here, replace(here, id="c")) == [("acme", ("payer",))]
    assert found(rule, Holder("a", "ann", (at("payer", ROOT), at("payer", "acme")))) == []


def test_what_a_role_requires_may_be_held_above_but_not_below() -> None:
    rule = Constraint("with", "requires", ("payer", "clerk"))
    assert found(rule, Holder("d", "dave", (at("payer", "acme"), at("clerk", ROOT)))) == []
    assert found(rule, Holder("d", "dave", (at("payer", "acme"), at("clerk", "acme")))) == []
    assert found(rule, Holder("d", "dave", (at("payer", ROOT), at("clerk", "acme")))) == [
        (ROOT, ("payer", "clerk"))
    ]
    assert found(rule, Holder("d", "dave", (at("payer", "acme"), at("clerk", "acme.eu")))) == [
        ("acme", ("payer", "clerk"))
    ]


def test_what_counts_at_a_domain_is_selected_from_all() -> None:
    held = (at("clerk", ROOT), at("payer", "acme"), at("chief", "globex"))
    assert [one.role for one in counting_at(held)] == ["clerk"]
    assert [one.role for one in counting_at(held, "acme.eu")] == ["clerk", "payer"]


@pytest.mark.parametrize(
    ("some", "left"),
    [
        ([], ()), (["acme"], ("acme",)), (["acme", "acme.eu", "acme.eu.x", "acme2"], ("acme", "acme2")),
        (["acme.eu.x", "acme.us"], ("acme.eu.x", "acme.us")), (["b.x", "a.x.y", "a"], ("a", "b.x")),
    ],
)  # fmt: skip
def test_of_domains_in_one_another_the_outermost_are_left(some: list[str], left: tuple[str, ...]) -> None:
    assert outermost(some) == left
