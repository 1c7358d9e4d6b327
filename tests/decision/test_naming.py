"""What roles, constraints and permissions may be called, and the sentence for what they may not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbac_api.decision.naming import CONSTRAINT, PERMISSION, ROLE, NameRule, folded

ROLES = ("a", "Z_FI_AP_CLERK", "Domain.Users", "invoice-clerk", "r" * 127, "A1", "x.", "x-", "x_")
NO_ROLES = (
    "", "1st", "_x", ".x", "-x", "Head Brewer", " clerk", "clerk ", "clerk\n", "clérk", "a:b", "r" * 128, "a/b", "\u212aelvin", "a\x00",
)  # fmt: skip
PERMISSIONS = (
    "s3:GetObject", "invoices:approve", "a:b", "9:9", "arn:aws:s3:Get", "Microsoft.Compute:virtualMachines:start_action", "a.b:c-d:e_f",
    "a:" + "b" * 198,
)  # fmt: skip
NO_PERMISSIONS = (
    "", "reports", "reports:", ":read", "a::b", "a:b:c:d:e", "a:b ", " a:b", "a:b\n", "a:*", "a:_b", "a:.b", "é:b", "a:b:",
    "a:" + "b" * 199, "s3:Get Object", "a/b:c",
)  # fmt: skip


@pytest.mark.parametrize("name", ROLES)
def test_what_other_systems_call_a_role_is_a_name(name: str) -> None:
    assert ROLE.problem(name) is CONSTRAINT.problem(name) is None


@pytest.mark.parametrize("name", PERMISSIONS)
def test_what_other_systems_call_a_permission_is_a_name(name: str) -> None:
    assert PERMISSION.problem(name) is None


@pytest.mark.parametrize(
    ("rule", "name"), [(ROLE, name) for name in NO_ROLES] + [(PERMISSION, name) for name in NO_PERMISSIONS]
)
def test_what_is_no_name_is_named_with_what_is_one(rule: NameRule, name: str) -> None:
    problem = rule.problem(name)

    assert problem is not None
    assert problem.startswith(repr(name)[:90])
    assert f"is not a {rule.thing} name. Use" in problem
    assert problem.isprintable()
    assert len(problem) < 400


@given(st.text(max_size=210))
def test_the_rule_is_its_pattern_and_its_lengths(name: str) -> None:
    for rule in (ROLE, PERMISSION):
        fits = bool(re.fullmatch(rule.pattern, name)) and rule.shortest <= len(name) <= rule.longest
        assert (rule.problem(name) is None) == fits


@given(st.from_regex(ROLE.pattern, fullmatch=True))
def test_names_that_differ_by_case_alone_have_the_same_folded_form(name: str) -> None:
    assert folded(name) == folded(name.upper()) == folded(name.swapcase())
