"""A self-hosted admin API for roles, permissions and sessions.

``create_app`` is the service; the decorators guard routes of other applications too (docs/decorators.md).  ARCHITECTURE.md in the
repository is the map: the packages, their one import direction, and where a line of code belongs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rbac_api.factory import create_app
    from rbac_api.guard.enforcement.clearance import Clearance
    from rbac_api.guard.enforcement.decorators import (
        admin_required,
        current_clearance,
        public,
        requires,
        requires_role,
    )
    from rbac_api.guard.enforcement.host_application import protect
    from rbac_api.settings import Settings

__all__ = [
    "Clearance",
    "Settings",
    "admin_required",
    "create_app",
    "current_clearance",
    "protect",
    "public",
    "requires",
    "requires_role",
]
_HOMES = {
    "create_app": "factory",
    "Settings": "settings",
    "Clearance": "guard.enforcement.clearance",
    "protect": "guard.enforcement.host_application",
}


def __getattr__(name: str) -> Any:
    """Import on first use, so that ``rbac_api.verifier`` in another service loads neither database nor server."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'guard.enforcement.decorators')}"), name)
