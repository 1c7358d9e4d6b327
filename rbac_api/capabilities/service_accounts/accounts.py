"""Finds a service account, and checks whether the caller may act on it. Part of the service, in a file of its
own."""

from __future__ import annotations

from sqlalchemy import Connection

from rbac_api.capabilities.service_accounts import queries
from rbac_api.capabilities.service_accounts.errors import ServiceAccountNotFound
from rbac_api.database.queries.users import find_named
from rbac_api.database.types import is_id
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.trail.recorder import Target


def find_account_id(clearance: Clearance, reference: str) -> str:
    """Return the id of the service account named by id or name; 404 for an unknown name."""
    if is_id(reference):
        return reference.lower()
    found = find_named(clearance.connection, reference, "service")
    return ServiceAccountNotFound.require(found)[0]


def known_account(connection: Connection, account_id: str) -> queries.ServiceAccountRow:
    """The row; 404 for an unknown or deleted one."""
    return ServiceAccountNotFound.require(queries.find_account(connection, account_id))


def weaker_account(clearance: Clearance, account_id: str) -> queries.ServiceAccountRow:
    """The same, if the caller holds what it holds: a caller who controls a service account can do what it
    can."""
    account = known_account(clearance.connection, account_id)
    clearance.require_outranks_user(account.id, account.username)
    return account


def named(account: queries.ServiceAccountRow) -> Target:
    """The account as the trail names it."""
    return Target("service_account", account.id, account.username)
