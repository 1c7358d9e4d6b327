"""Finds a user by the id or name in a path. Part of the service, in a file of its own."""

from __future__ import annotations

from rbac_api.capabilities.users.errors import UserNotFound
from rbac_api.database.queries.users import find_id
from rbac_api.database.types import is_id
from rbac_api.guard.enforcement.clearance import Clearance


def find_user_id(clearance: Clearance, reference: str) -> str:
    """Return the id of the user named by id or username; 404 for an unknown username."""
    user_id = reference.lower() if is_id(reference) else find_id(clearance.connection, reference, "person")
    if user_id is None:
        raise UserNotFound()
    return user_id
