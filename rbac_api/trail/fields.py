"""Classifies every column of every table, so that nothing secret is ever recorded and nothing relevant is
forgotten.

``track``: its values appear in ``before`` and ``after``.  ``ignore``: bookkeeping that has no meaning for an
auditor.  ``secret``: never leaves its table.  ``personal``: a value about a person; an event has its digest
(``trail/personal``), and erasure removes it.  A column that is not named here stops the service from
starting.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, cast

from rbac_api import clock
from rbac_api.database.tables import metadata

_RECORDED = frozenset({"track", "personal"})
Classification = Literal["track", "ignore", "secret", "personal"]


def _table(**columns: str) -> dict[str, Classification]:
    """Return the class of each column; ``columns`` has names by class."""
    return {name: cast("Classification", kind) for kind, names in columns.items() for name in names.split()}


COLUMNS: dict[str, dict[str, Classification]] = {
    "activations": _table(track="role_id valid_from valid_to reason", ignore="id session_id user_id"),
    "assignments": _table(
        track="user_id role_id valid_from valid_to reason mode max_duration domain",
        ignore="id assigned_by assigned_at",
    ),
    "client_secrets": _table(
        track="expires_at",
        ignore="id service_account_id created_at created_by last_used_at withdrawn_at",
        secret="secret_hash",
    ),
    "constraint_roles": _table(track="role_id position", ignore="constraint_id"),
    "constraints": _table(track="name kind cardinality home", ignore="id valid_from valid_to"),
    "decisions": _table(
        ignore="id seq at user_id session_id permission role code detail second_factor chosen_roles"
    ),
    "domains": _table(track="name title description", ignore="id valid_from valid_to"),
    "followers": _table(ignore="name"),
    "idempotency_keys": _table(
        ignore="scope key fingerprint status location created_at expires_at", secret="body_sealed"
    ),
    "incidents": _table(
        track="type close_reason",
        ignore="id subject user_id session_id opened_at occurrences rightful_at other_at closed_at closed_by",
        personal="rightful_ip rightful_user_agent other_ip other_user_agent",
    ),
    "instance": _table(track="name value"),
    "key_uses": _table(
        track="kid algorithm",
        ignore="first_used_at last_used_at access_until refresh_until withdrawn_at",
        secret="public_sealed",
    ),
    "password_setups": _table(track="expires_at", ignore="user_id created_at spent_at", secret="token_hash"),
    "permission_uses": _table(ignore="user_id permission day second_factor times last_used"),
    "permissions": _table(track="name title description", ignore="id system valid_from valid_to"),
    "personal_values": _table(ignore="seq part user_id", personal="ip entries"),
    "policy_changes": _table(track="hash", ignore="seq at changes reverted_by"),
    "recovery_codes": _table(ignore="user_id created_at spent_at", secret="code_hash"),
    "refresh_tokens": _table(
        track="generation",
        ignore="jti session_id issued_at expires_at spent_at replaced_by",
        personal="ip",
    ),
    "revocations": _table(ignore="seq kind value minimum revoked_at expires_at"),
    "role_inheritance": _table(track="senior_id junior_id", ignore="id valid_from valid_to"),
    "role_permissions": _table(track="role_id permission_id", ignore="id valid_from valid_to"),
    "roles": _table(
        track="name title description grants requires_mfa home",
        ignore="id system version valid_from updated_at valid_to",
    ),
    "service_accounts": _table(track="description", ignore="id created_by"),
    "sessions": _table(
        track="client_id end_reason amr active_roles domain",
        ignore="id client_secret_id user_id created_at last_seen_at idle_expires_at absolute_expires_at"
        " generation ended_at ended_by",
        personal="ip user_agent",
    ),
    "signin_attempts": _table(track="failures blocked_until", ignore="last_failed_at", secret="name_digest"),
    "signing_keys": _table(
        track="kid algorithm signs_from",
        ignore="created_at retired_at withdrawn_at public_jwk",
        secret="private_sealed",
    ),
    "totp_factors": _table(
        track="confirmed_at", ignore="user_id created_at last_step", secret="secret_sealed"
    ),
    "trail_events": _table(
        ignore="seq at actor_type actor_id actor_name session_id action target_type target_id target_name"
        " outcome reason before after"
        " ip request_id personal domain prev_hash hash"
    ),
    "trail_domains": _table(ignore="domain seq"),
    "trail_nodes": _table(ignore="level position node"),
    "trail_outbox": _table(
        ignore="id at actor_type actor_id actor_name session_id action target_type target_id target_name"
        " outcome reason before after ip request_id personal domain personal_values"
        " decision"
    ),
    "user_search": _table(ignore="number user_id name text"),
    "users": _table(
        track="status password_temporary home",
        ignore="id kind username_canonical email_canonical password_changed_at version authorization_version"
        " created_at updated_at"
        " last_login_at deleted_at erased_at search_text",
        personal="username email display_name",
        secret="password_hash",
    ),
}
SECRET_NAMES = frozenset(
    {column for columns in COLUMNS.values() for column, kind in columns.items() if kind == "secret"}
    | {
        "password",
        "new_password",
        "current_password",
        "token",
        "access_token",
        "refresh_token",
        "secret",
        "client_secret",
        "otp",
        "recovery_codes",
        "csrf_token",
    }
)
# The names under which an event has values about a person.
PERSONAL_NAMES = frozenset(
    column for table in ("sessions", "users") for column, kind in COLUMNS[table].items() if kind == "personal"
)


def unclassified() -> list[str]:
    """Return ``table.column`` for each column of the schema without a classification, and each classified one
    that does not exist."""
    in_schema = {
        f"{table.name}.{column.name}" for table in metadata.tables.values() for column in table.columns
    }
    in_catalogue = {f"{table}.{column}" for table, columns in COLUMNS.items() for column in columns}
    return sorted(in_schema ^ in_catalogue)


def tracked(table: str, values: Mapping[str, object]) -> dict[str, object]:
    """Return those of a row's values that an auditor may and should see, as JSON values."""
    kinds = COLUMNS[table]
    return {name: _json(value) for name, value in values.items() if kinds.get(name) in _RECORDED}


def stated(table: str, values: Mapping[str, object]) -> dict[str, object]:
    """Return the tracked values without those that the row leaves empty."""
    return {name: value for name, value in tracked(table, values).items() if value is not None}


def changes(
    table: str, before: Mapping[str, object], after: Mapping[str, object]
) -> tuple[dict[str, object], dict[str, object]]:
    """Return the tracked values that differ: (before, after)."""
    old, new = tracked(table, before), tracked(table, after)
    differing = [name for name in new if old.get(name) != new[name]]
    return {name: old.get(name) for name in differing}, {name: new[name] for name in differing}


def _json(value: object) -> object:
    return clock.rfc3339(value) if isinstance(value, datetime) else value
