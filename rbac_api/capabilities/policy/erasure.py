"""Takes the name of an erased user out of what applied policies changed. Part of the service."""

from __future__ import annotations

import json

from sqlalchemy import Connection

from rbac_api.capabilities.policy import queries_changes
from rbac_api.decision.names import ERASED_NAME, canonical
from rbac_api.trail.canonical_form import canonical as canonical_json


def erase_username(connection: Connection, canonical_name: str) -> None:
    """Replace the name. A policy that assigned a role to the user cannot be reverted, as after the
    deletion."""
    for row in queries_changes.list_changes_of_users(connection):
        steps = json.loads(row.changes)
        named = [
            (step["facts"], member)
            for step in steps
            for member in ("user", "username")
            if canonical(str(step["facts"].get(member, ""))) == canonical_name
        ]
        for facts, member in named:
            facts[member] = ERASED_NAME
        if named:
            queries_changes.rewrite_change(connection, row.seq, canonical_json(steps))
