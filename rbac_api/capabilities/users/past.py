"""Users as they were at a past moment: who there was, with which status and roles. Part of the service."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection

from rbac_api.capabilities.users import queries_past
from rbac_api.capabilities.users.answers import UserAnswer
from rbac_api.guard.state.queries_history import list_accounts_at


def with_past_status(connection: Connection, users: Sequence[UserAnswer], at: datetime) -> list[UserAnswer]:
    """These users with the status that they had. Whether one was locked then is not known."""
    then = list_accounts_at(connection, [user["id"] for user in users], at)
    return [{**user, "status": then[user["id"]].status, "locked_until": None} for user in users]


def conditions(connection: Connection, at: datetime, status: str | None) -> list[ColumnElement[bool]]:
    """The users whom there was, of this status if one is asked for."""
    found = queries_past.existed(at)
    return [*found, queries_past.had_status(connection, status, at)] if status else found
