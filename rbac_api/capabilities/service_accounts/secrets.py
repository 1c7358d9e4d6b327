"""Issues and withdraws secrets of service accounts. Part of the service, in a file of its own."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.service_accounts import queries
from rbac_api.capabilities.service_accounts.accounts import named, weaker_account
from rbac_api.capabilities.service_accounts.errors import ClientSecretNotFound, TooManySecrets
from rbac_api.capabilities.sessions.service import Termination, close_sessions
from rbac_api.database.queries.subjects import list_roles_of
from rbac_api.database.tables import sessions
from rbac_api.database.types import new_id
from rbac_api.errors import Fault, Invalid
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.enforcement.clients import secret_digest
from rbac_api.guard.enforcement.queries_clients import SecretRow

PREFIX = "rbac-client-"  # so that secret scanners and people recognise one
MAX_LIVE_SECRETS = 5  # at a time: enough to replace one without a pause, few enough to keep track of


def create_client_secret(
    clearance: Clearance, account_id: str, expires_at: datetime | None
) -> dict[str, object]:
    """Issue a secret of 256 random bits, returned only this once and stored as a keyed hash.

    409 if there are enough, 422 for an invalid time.
    """
    (clearance, account), now = weaker_account(clearance, account_id), clock.now()
    ends = _deadline(now, clearance.settings.client_secret_seconds, expires_at)
    held = list_roles_of(clearance.connection, [account.id], now).get(account.id, {})
    clearance.require_held_at(held, ends)  # the secret hands out what the account holds
    live = [one for one in queries.list_secrets(clearance.connection, account.id) if one.expires_at > now]
    if len(live) >= MAX_LIVE_SECRETS:
        raise TooManySecrets()
    text, secret_id = PREFIX + secrets.token_urlsafe(32), new_id()
    row = {
        "id": secret_id, "service_account_id": account.id,
        "secret_hash": secret_digest(clearance.settings, text), "created_at": now,
        "created_by": clearance.actor.id, "expires_at": ends,
    }  # fmt: skip
    queries.add_secret(clearance.connection, row)
    facts = {"id": secret_id, "expires_at": clock.rfc3339(ends)}
    clearance.record("client_secret.created", named(account), after=facts)
    return {"id": secret_id, "client_secret": text, "created_at": now, "expires_at": ends}


def withdraw_client_secret(clearance: Clearance, account_id: str, secret_id: str) -> None:
    """Withdraw a secret: it no longer works, and the sessions that began with it end."""
    clearance, account = weaker_account(clearance, account_id)
    if not queries.withdraw_secret(clearance.connection, account.id, secret_id, clock.now()):
        raise ClientSecretNotFound()
    begun_with_it = sessions.c.client_secret_id == secret_id
    ending = Termination(clearance.actor.id, "admin")
    ended = close_sessions(clearance.connection, clearance.settings, begun_with_it, ending)
    facts = {"id": secret_id, "sessions_ended": len(ended)}
    clearance.record("client_secret.withdrawn", named(account), after=facts)


def describe_secret(row: SecretRow) -> dict[str, object]:
    """A secret as it is described after its creation."""
    return {
        "id": row.id,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "last_used_at": row.last_used_at,
    }


def _deadline(now: datetime, longest: int, wanted: datetime | None) -> datetime:
    latest = now + timedelta(seconds=longest)
    if wanted is not None and not now < wanted <= latest:
        detail = f"Choose a moment in the future, not after {clock.rfc3339(latest)}."
        raise Invalid(faults=(Fault("/expires_at", "expires_at.refused", detail),))
    return wanted or latest


def delete_old_secrets(connection: Connection, before: datetime, limit: int) -> int:
    """Delete some of the secrets that have not been valid since that moment; returns the number."""
    return queries.delete_old_secrets(connection, before, limit)
