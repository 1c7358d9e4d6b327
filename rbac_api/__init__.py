"""rbac-api: a self-hosted admin API for roles, permissions and sessions.  The tour, a line per room:

    factory        everything put together: ``create_app``
    cli            ``flask rbac …`` and the server's start: for whoever runs this on the machine itself
    capabilities   WHAT THE SERVICE DOES: one package each, the same file names in all
    guard          WHO ASKS, MAY THEY: tokens, the present state in memory, the decorators, the Clearance
    trail          THE TRAIL: the append-only record that is also the change feed
    database       ROWS: engines, units of work, tables          web   HTTP TOOLKIT: problems, pages, ETags, OpenAPI
    decision       RULES: pure functions from a snapshot and a question to an answer with its reasons
    verifier       for OTHER services: reads our tokens and follows what is revoked; imports none of the rooms
    errors  settings  clock  sealing

    factory → cli → capabilities → guard → trail → database | web → decision → errors, settings, clock, sealing

A room imports only rooms to its right.  The decorators below guard routes of other applications too (docs/decorators.md).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rbac_api.factory import create_app
    from rbac_api.guard.clearance import Clearance, current_clearance
    from rbac_api.guard.host import protect
    from rbac_api.guard.requires import admin_required, public, requires, requires_role
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
    "Clearance": "guard.clearance",
    "current_clearance": "guard.clearance",
    "protect": "guard.host",
}


def __getattr__(name: str) -> Any:
    """Fetched when asked for, so that ``rbac_api.verifier`` in somebody else's service brings neither database nor server along."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'guard.requires')}"), name)
