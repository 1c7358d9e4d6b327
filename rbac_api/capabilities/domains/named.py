"""Decides where a role or a constraint that is being created is at home: its name says it. Part of the
service."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rbac_api.decision.document_rules import TOGETHER
from rbac_api.decision.domains import home_of
from rbac_api.decision.model import ROOT
from rbac_api.decision.naming import NameRule
from rbac_api.errors import Fault, Invalid
from rbac_api.guard.enforcement.clearance import Clearance


def named_at_home(clearance: Clearance, body: Mapping[str, Any], rule: NameRule) -> tuple[Clearance, str]:
    """The clearance at the new home, and the full name: ``manager`` at ``acme`` is ``manager@acme``.

    422 for a name that ends with another home than the one given, 403 without the permission there.
    """
    name = body["name"]
    home = body.get("home") or (home_of(name) if "@" in name else clearance.home_by_default)
    if "@" not in name and home != ROOT:
        name = f"{name}@{home}"
    elif home_of(name) != home:
        detail = f"The name {name} ends with another home than {home}. Leave out one of the two."
        raise Invalid(faults=(Fault("/home", TOGETHER, detail),))
    if problem := rule.problem(name):
        raise Invalid(faults=(Fault("/name", TOGETHER, problem),))
    return clearance.at(home), name
