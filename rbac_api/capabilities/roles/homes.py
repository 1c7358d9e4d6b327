"""Decides where a role is at home, and who may read and change it there. Part of the service.

The name of a role ends with its home: ``manager@acme``; one without ``@`` is at home at ``root``. A role
counts at its home and below, holds what its makers hold there, and inherits roles of its home and of those
above it.
"""

from __future__ import annotations

from rbac_api.decision.domains import home_of, is_in, overlaps
from rbac_api.decision.naming import ROLE
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import RoleElsewhere, RoleNotFound


def is_readable(clearance: Clearance, home: str) -> bool:
    """Whether the caller may read the roles of a home: those at home in a domain where ``roles:read`` is
    held, and those at home above it, which can be assigned there."""
    return overlaps(home, clearance.domains_granting("roles:read"))


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
