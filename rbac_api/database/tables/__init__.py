"""One file per table. Importing this package fills ``metadata``. Migrations and the drift test compare it
with the database."""

from rbac_api.database.tables.activations import activations
from rbac_api.database.tables.assignments import assignments
from rbac_api.database.tables.client_secrets import client_secrets
from rbac_api.database.tables.constraint_roles import constraint_roles
from rbac_api.database.tables.constraints import constraints
from rbac_api.database.tables.decisions import decisions
from rbac_api.database.tables.domains import domains
from rbac_api.database.tables.followers import followers
from rbac_api.database.tables.idempotency_keys import idempotency_keys
from rbac_api.database.tables.incidents import incidents
from rbac_api.database.tables.instance import instance
from rbac_api.database.tables.key_uses import key_uses
from rbac_api.database.tables.metadata import metadata
from rbac_api.database.tables.password_setups import password_setups
from rbac_api.database.tables.permission_uses import permission_uses
from rbac_api.database.tables.permissions import permissions
from rbac_api.database.tables.personal_values import personal_values
from rbac_api.database.tables.policy_changes import policy_changes
from rbac_api.database.tables.recovery_codes import recovery_codes
from rbac_api.database.tables.refresh_tokens import refresh_tokens
from rbac_api.database.tables.revocations import revocations
from rbac_api.database.tables.role_inheritance import role_inheritance
from rbac_api.database.tables.role_permissions import role_permissions
from rbac_api.database.tables.roles import roles
from rbac_api.database.tables.service_accounts import service_accounts
from rbac_api.database.tables.sessions import sessions
from rbac_api.database.tables.signin_attempts import signin_attempts
from rbac_api.database.tables.signing_keys import signing_keys
from rbac_api.database.tables.totp_factors import totp_factors
from rbac_api.database.tables.trail_domains import trail_domains
from rbac_api.database.tables.trail_events import trail_events
from rbac_api.database.tables.trail_nodes import trail_nodes
from rbac_api.database.tables.trail_outbox import trail_outbox
from rbac_api.database.tables.user_search import user_search
from rbac_api.database.tables.users import users

__all__ = [
    "activations",
    "assignments",
    "client_secrets",
    "constraint_roles",
    "constraints",
    "decisions",
    "domains",
    "followers",
    "idempotency_keys",
    "incidents",
    "instance",
    "key_uses",
    "metadata",
    "password_setups",
    "permission_uses",
    "permissions",
    "personal_values",
    "policy_changes",
    "recovery_codes",
    "refresh_tokens",
    "revocations",
    "role_inheritance",
    "role_permissions",
    "roles",
    "service_accounts",
    "sessions",
    "signin_attempts",
    "signing_keys",
    "totp_factors",
    "trail_domains",
    "trail_events",
    "trail_nodes",
    "trail_outbox",
    "user_search",
    "users",
]
