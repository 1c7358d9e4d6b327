"""Finds a service account, and checks whether the caller may act on it. Part of the service, in a file of its
own."""

from __future__ import annotations

from rbac_api.capabilities.service_accounts import queries
from rbac_api.capabilities.service_accounts.errors import ServiceAccountNotFound
from rbac_api.database.queries.users import find_named
from rbac_api.database.types import is_id
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.trail.recorder import Target

READ = "service-accounts:read"


def find_account_id(clearance: Clearance, reference: str) -> str:
    """Return the id of the service account named by id or name; 404 for a name that is unknown, or of an
    account that the caller may not read."""
    if is_id(reference):
        return reference.lower()
    found = find_named(clearance.connection, reference, "service")
    account_id, home = ServiceAccountNotFound.require(found)
    clearance.over(home, READ, ServiceAccountNotFound)
    return account_id


def known_account(clearance: Clearance, account_id: str) -> tuple[Clearance, queries.ServiceAccountRow]:
    """The row, and the clearance at the account's home; 404 for an unknown or deleted account, and for one
    that the caller may not read."""
    account = ServiceAccountNotFound.require(queries.find_account(clearance.connection, account_id))
    return clearance.over(account.home, READ, ServiceAccountNotFound), account


def weaker_account(clearance: Clearance, account_id: str) -> tuple[Clearance, queries.ServiceAccountRow]:
    """The same, if the caller holds what it holds: a caller who controls a service account can do what it
    can."""
    clearance, account = known_account(clearance, account_id)
    clearance.require_outranks_user(account.id, account.username)
    return clearance, account


def named(account: queries.ServiceAccountRow) -> Target:
    """The account as the trail names it."""
    return Target("service_account", account.id, account.username, account.home)
