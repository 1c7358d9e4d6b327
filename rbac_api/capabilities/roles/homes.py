"""Says which roles the caller may read: those at home in a domain where ``roles:read`` is held, and those at
home above it, which can be assigned there. Part of the service."""

from __future__ import annotations

from rbac_api.decision.domains import overlaps
from rbac_api.guard.enforcement.clearance import Clearance


def is_readable(clearance: Clearance, home: str) -> bool:
    """Whether the caller may read the roles of a home; the permission is that of the operation."""
    return overlaps(home, clearance.domains_granting())
