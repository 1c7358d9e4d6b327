"""Service accounts: creates, changes, disables and deletes them, and assigns roles to them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection

from rbac_api import clock
from rbac_api.capabilities.assignments.answers import AssignmentAnswer, UserRolesAnswer
from rbac_api.capabilities.assignments.service import (
    ORDINARY,
    Terms,
    give_role,
    held_roles,
    take_role,
)
from rbac_api.capabilities.domains.service import require_domain
from rbac_api.capabilities.service_accounts import queries
from rbac_api.capabilities.service_accounts.accounts import (
    READ,
    find_account_id,
    known_account,
    named,
    weaker_account,
)
from rbac_api.capabilities.service_accounts.answers import ServiceAccountFilters
from rbac_api.capabilities.service_accounts.errors import ServiceAccountNameTaken, ServiceAccountNotFound
from rbac_api.capabilities.service_accounts.secrets import (
    create_client_secret,
    delete_old_secrets,
    describe_secret,
    withdraw_client_secret,
)
from rbac_api.capabilities.sessions.service import Termination, close_user_sessions
from rbac_api.capabilities.users.service import end_user_assignments
from rbac_api.database.homes import at_home, at_home_exactly
from rbac_api.database.queries.users import find_user_by_name
from rbac_api.database.tables import users
from rbac_api.database.text_search import named_like
from rbac_api.database.types import new_id
from rbac_api.decision.model import ROOT
from rbac_api.decision.names import search_text
from rbac_api.formats.http_errors import PreconditionFailed
from rbac_api.formats.paging import Page, PageRequest, cut
from rbac_api.formats.row_versions import require_match
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.revocation.denylist import outdate
from rbac_api.trail.fields import changes
from rbac_api.trail.recorder import Target

__all__ = [
    "assign_service_account_role",
    "create_client_secret",
    "create_service_account",
    "delete_old_secrets",
    "delete_service_account",
    "find_account_id",
    "get_service_account",
    "get_service_account_roles",
    "list_service_accounts",
    "revoke_service_account_role",
    "update_service_account",
    "withdraw_client_secret",
]  # fmt: skip


def create_service_account(
    clearance: Clearance, name: str, description: str | None, home: str | None = None
) -> tuple[dict[str, object], int]:
    """Create a service account, without permissions. Returns it and the row's version. 409 if the name is or
    was in use, 403 without the permission at its home."""
    clearance = clearance.at(home or clearance.home_by_default)
    require_domain(clearance, clearance.domain)
    if find_user_by_name(clearance.connection, clearance.settings.secret_key, name):
        raise ServiceAccountNameTaken()
    now, account_id = clock.now(), new_id()
    row = {
        "id": account_id, "username": name, "username_canonical": name,
        "search_text": search_text(name, description), "kind": "service", "status": "active",
        "password_temporary": False, "version": 1, "authorization_version": 1, "created_at": now,
        "updated_at": now, "home": clearance.domain,
    }  # fmt: skip
    details = {"id": account_id, "description": description, "created_by": clearance.actor.id}
    queries.add_account(clearance.connection, row, details)
    facts = {"name": name, "description": description, "status": "active", "home": clearance.domain}
    clearance.record("service_account.created", Target("service_account", account_id, name), after=facts)
    return _read(clearance.connection, account_id)


def get_service_account(clearance: Clearance, account_id: str) -> tuple[dict[str, object], int]:
    """One service account with what is known about its secrets, and the row's version."""
    clearance, account = known_account(clearance, account_id)
    return _with_secrets(clearance.connection, account), account.version


def _read(connection: Connection, account_id: str) -> tuple[dict[str, object], int]:
    account = ServiceAccountNotFound.require(queries.find_account(connection, account_id))
    return _with_secrets(connection, account), account.version


def list_service_accounts(
    clearance: Clearance, filters: ServiceAccountFilters, page: PageRequest
) -> Page[dict[str, object]]:
    """Service accounts by name; filtered by a text in name or description, and status."""
    conditions = _conditions(clearance, filters)
    rows = queries.list_accounts(clearance.connection, conditions, page.after, page.limit + 1)
    total = queries.count_accounts(clearance.connection, conditions) if page.count else None
    return cut(rows, page, lambda row: (row.username_canonical,), total).map(_describe)


def update_service_account(
    clearance: Clearance, account_id: str, tags: frozenset[str], body: Mapping[str, object]
) -> tuple[dict[str, object], int]:
    """Change description, status and home, which needs the permission at the new home too. Disabling ends
    every session; 403 ``target.stronger``, 412 stale."""
    clearance, account = weaker_account(clearance, account_id)
    require_match(tags, _with_secrets(clearance.connection, account), account.version)
    home = str(body.get("home", account.home))
    if home != account.home:
        require_domain(clearance.at(home), home)
    _change(clearance, account, {**account._asdict(), **body})
    return _read(clearance.connection, account_id)


def delete_service_account(clearance: Clearance, account_id: str, tags: frozenset[str]) -> None:
    """End sessions, secrets and assignments, and keep the row, so that neither id nor name is used again."""
    (clearance, account), now = weaker_account(clearance, account_id), clock.now()
    connection = clearance.connection
    require_match(tags, _with_secrets(connection, account), account.version)
    gone = {
        "status": "deleted",
        "search_text": "",
        "deleted_at": now,
        "authorization_version": account.authorization_version + 1,
    }
    _write(clearance, account, gone)
    queries.update_description(connection, account.id, None)
    queries.withdraw_all_secrets(connection, account.id, now)
    ending = Termination(clearance.actor.id, "user-deleted")
    ended = close_user_sessions(connection, clearance.settings, account.id, ending)
    before = {
        "name": account.username,
        "description": account.description,
        "status": account.status,
        "roles": end_user_assignments(connection, account.id, now),
    }
    clearance.record(
        "service_account.deleted", named(account), before=before, after={"sessions_ended": len(ended)}
    )


def get_service_account_roles(
    clearance: Clearance, account_id: str, at: datetime | None = None, domain: str = ROOT
) -> UserRolesAnswer:
    """What a service account holds, or held: direct assignments, effective roles with the assigned roles they
    come from, permissions."""
    clearance = clearance.over_account(account_id, "service", READ, ServiceAccountNotFound)
    return ServiceAccountNotFound.require(held_roles(clearance, account_id, "service", at, domain))


def assign_service_account_role(
    clearance: Clearance, account_id: str, role: str, terms: Terms = ORDINARY
) -> tuple[AssignmentAnswer, bool]:
    """Assign a role to a service account, or change the terms, with the guards of users; the assignment, and
    whether it is new."""
    clearance, account = known_account(clearance, account_id)
    return give_role(clearance, named(account), role, terms)


def revoke_service_account_role(clearance: Clearance, account_id: str, role: str, domain: str = ROOT) -> None:
    """Revoke a role at a domain; 404 if it is not assigned directly there, 403 ``target.stronger``."""
    clearance, account = known_account(clearance, account_id)
    take_role(clearance, named(account), role, domain)


def _change(clearance: Clearance, account: queries.ServiceAccountRow, wanted: dict[str, Any]) -> None:
    present = account._asdict()
    was, status = changes("users", present, wanted)
    before, after = changes("service_accounts", present, wanted)
    if not (status or after):
        return
    action = "service_account.updated"
    if "status" in status:
        action = f"service_account.{'enabled' if wanted['status'] == 'active' else 'disabled'}"
        status["authorization_version"] = account.authorization_version + 1
    _write(
        clearance, account, {**status, "search_text": search_text(account.username, wanted["description"])}
    )
    queries.update_description(clearance.connection, account.id, wanted["description"])
    after |= {name: wanted[name] for name in was}
    if action == "service_account.disabled":
        ending = Termination(clearance.actor.id, "user-disabled")
        ended = close_user_sessions(clearance.connection, clearance.settings, account.id, ending)
        after["sessions_ended"] = len(ended)
    clearance.record(action, named(account), before=before | was, after=after)


def _write(clearance: Clearance, account: queries.ServiceAccountRow, values: dict[str, Any]) -> None:
    values = {**values, "updated_at": clock.now()}
    if not queries.update_account(clearance.connection, account.id, account.version, values):
        raise PreconditionFailed()
    if "authorization_version" in values:
        outdate(clearance.connection, clearance.settings, {account.id: values["authorization_version"]})


def _conditions(clearance: Clearance, filters: ServiceAccountFilters) -> list[ColumnElement[bool]]:
    connection, status = clearance.connection, filters.get("status")
    found = [queries.IS_SERVICE, users.c.status == status if status else users.c.status != "deleted"]
    found.append(at_home(connection, users, clearance.domains_granting()))
    if home := filters.get("home"):
        found.append(at_home_exactly(connection, users, home))
    if text := filters.get("q"):
        found.append(named_like(connection, text))
    return found


def _describe(row: queries.ServiceAccountRow) -> dict[str, object]:
    return {
        "id": row.id,
        "client_id": row.id,
        "name": row.username,
        "description": row.description,
        "status": row.status,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "home": row.home,
    }


def _with_secrets(connection: Connection, account: queries.ServiceAccountRow) -> dict[str, object]:
    found = queries.list_secrets(connection, account.id)
    return {**_describe(account), "secrets": [describe_secret(secret) for secret in found]}
