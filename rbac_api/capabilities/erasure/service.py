"""Erases the personal data of a deleted user."""

from __future__ import annotations

import re

from rbac_api.capabilities.erasure.errors import reason_names_user
from rbac_api.capabilities.incidents.service import erase_parties
from rbac_api.capabilities.policy.service import erase_username
from rbac_api.capabilities.sessions.service import erase_addresses
from rbac_api.capabilities.users.service import erase_profile, find_erasable, require_outranks_deleted
from rbac_api.decision.names import canonical
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.enforcement.queries_idempotency import clear_answers_of_all
from rbac_api.guard.state.queries_uses import delete_uses_of
from rbac_api.trail.personal import erase_values
from rbac_api.trail.recorder import Target


def erase_user(clearance: Clearance, user: str, reason: str) -> None:
    """Erase names, addresses, user agents and uses of a deleted user, and record who did it and why.

    404; 409 ``user.not_deleted`` and ``user.erased``; 403 ``target.stronger``; 422 if the reason contains the
    username. One transaction. What waits in the outbox is linked before the event, so its values are deleted
    too; the values of later events about the user are not written.
    """
    clearance, row = find_erasable(clearance, user)
    connection = clearance.connection
    require_outranks_deleted(clearance, row)
    if re.search(rf"(?<!\w){re.escape(row.username_canonical)}(?!\w)", canonical(reason)):
        raise reason_names_user()
    clearance.record("user.erased", Target("user", row.id), reason=reason)
    erase_profile(clearance, row)
    erase_addresses(connection, row.id)
    erase_parties(connection, row.id)
    erase_username(connection, row.username_canonical)
    clear_answers_of_all(connection, f"/v1/users/{row.id}")
    delete_uses_of(connection, row.id)
    erase_values(connection, row.id)
