"""Takes the name of a deleted user out of the row that stays. Part of the service, in a file of its own."""

from __future__ import annotations

from typing import Any

from rbac_api import clock
from rbac_api.capabilities.attempts.service import clear_failures
from rbac_api.capabilities.users import queries
from rbac_api.capabilities.users.errors import UserErased, UserNotDeleted, UserNotFound
from rbac_api.capabilities.users.setup_tokens import write_user
from rbac_api.database.queries import users as reads
from rbac_api.database.queries.users import UserRow, erased_form
from rbac_api.database.types import is_id
from rbac_api.decision.names import ERASED_NAME, canonical
from rbac_api.formats.http_errors import PreconditionFailed
from rbac_api.guard.enforcement.clearance import Clearance


def find_erasable(clearance: Clearance, user: str) -> tuple[Clearance, UserRow]:
    """A deleted user, by id or username, and the clearance at the user's home; 404 unknown or not readable,
    409 ``user.not_deleted`` and ``user.erased``."""
    connection, secret = clearance.connection, clearance.settings.secret_key
    row = (
        reads.find_deleted_or_not(connection, user.lower())
        if is_id(user)
        else reads.find_user_by_name(connection, secret, canonical(user))
    )
    if row is None or row.kind != "person":
        raise UserNotFound()
    clearance = clearance.over(row.home, "users:read", UserNotFound)
    if row.deleted_at is None:
        raise UserNotDeleted()
    if row.erased_at is not None:
        raise UserErased()
    return clearance, row


def require_outranks_deleted(clearance: Clearance, user: UserRow) -> None:
    """Require what the deletion required: 403 for a user who held more than the caller holds."""
    then = user.deleted_at or clock.ENDLESS
    held = queries.list_roles_at_deletion(clearance.connection, user.id, then)
    clearance.require_outranks_at(held, "The deleted user", user.id)


def erase_profile(clearance: Clearance, user: UserRow) -> None:
    """Replace the name by its keyed hash, which keeps it taken, and delete what was stored by the name."""
    gone: dict[str, Any] = {
        "username": ERASED_NAME,
        "username_canonical": erased_form(clearance.settings.secret_key, user.username_canonical),
        "erased_at": clock.now(),
    }
    if not write_user(clearance, user, gone):
        raise PreconditionFailed()
    queries.delete_setups(clearance.connection, user.id)
    clear_failures(clearance.connection, clearance.settings, user.username)
