"""Decides where a role is at home, and who may read and change it there. Part of the service.

The name of a role ends with its home: ``manager@acme``; one without ``@`` is at home at ``root``. A role
counts at its home and below, holds what its makers hold there, and inherits roles of its home and of those
above it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rbac_api.capabilities.assignments.errors import RoleElsewhere
from rbac_api.capabilities.domains.service import require_domain
from rbac_api.decision.document_rules import TOGETHER
from rbac_api.decision.domains import home_of, is_in, overlaps
from rbac_api.decision.model import ROOT
from rbac_api.decision.naming import ROLE
from rbac_api.errors import Fault, Invalid
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import RoleNotFound


def is_readable(clearance: Clearance, home: str) -> bool:
    """Whether the caller may read the roles of a home: those at home in a domain where ``roles:read`` is
    held, and those at home above it, which can be assigned there."""
    return overlaps(home, clearance.domains_granting("roles:read"))


def at_new_home(clearance: Clearance, body: Mapping[str, Any]) -> tuple[Clearance, str]:
    """The clearance at the home of a role that is being created, and the role's full name.

    422 for a name that ends with another home than the one given, 403 without the permission there, 404 for a
    home that is no domain.
    """
    name = body["name"]
    home = body.get("home") or (home_of(name) if "@" in name else clearance.home_by_default)
    if "@" not in name and home != ROOT:
        name = f"{name}@{home}"
    elif home_of(name) != home:
        detail = f"The name {name} ends with another home than {home}. Leave out one of the two."
        raise Invalid(faults=(Fault("/home", TOGETHER, detail),))
    if problem := ROLE.problem(name):
        raise Invalid(faults=(Fault("/name", TOGETHER, problem),))
    clearance = clearance.at(home)
    require_domain(clearance, home)
    return clearance, name


def at_home(clearance: Clearance, name: str, home: str) -> Clearance:
    """The clearance at the home of a role that is being changed: 404 for a role that the caller may not read,
    403 without the permission there."""
    if not clearance.everywhere and not is_readable(clearance, home):
        raise unknown(name)
    return clearance.at(home)


def require_inheritable(senior: str, junior: str) -> None:
    """409 for a role that does not count wherever the one that would inherit it does."""
    home = home_of(junior)
    if not is_in(home_of(senior), home):
        raise RoleElsewhere(
            f"The role {junior} is at home at {home}: roles at home there and below can inherit it, {senior}"
            " is not one of them."
        )


def unknown(name: str) -> RoleNotFound:
    """The error for a role that does not exist, or that the caller may not read."""
    return RoleNotFound(f"There is no role {name[: ROLE.longest]}. List them with GET /v1/roles.")
