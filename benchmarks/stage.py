"""Prepares a database with signed-in users, and their tokens."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.roles.service import create_role, grant_permission
from rbac_api.capabilities.sessions.service import Origin, RefreshTokenRecord, begin_session
from rbac_api.capabilities.users.service import NewUser, add_user
from rbac_api.cli.prepare import hash_password, operator_unit, prepare
from rbac_api.database.engine import Database
from rbac_api.database.types import new_id
from rbac_api.factory import close_app, create_app
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.tokens.jwt import Bearer
from rbac_api.guard.tokens.token import Authority, Issue
from rbac_api.settings import Settings

PASSWORD = "seven grey herons over the weir"
ROLE = "bench-reader"
PERMISSION = "roles:read"  # required by the protected route
CLIENT = "first-party"
LIFETIME = 3600  # seconds: a long run must not outlive its tokens


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A user with an active session."""

    username: str
    access: str
    refresh: str


@dataclass(frozen=True, slots=True)
class Stage:
    """The settings as environment variables, and the users; the first is an administrator."""

    environment: dict[str, str]
    settings: Settings
    people: list[SignedIn]


def build_stage(folder: Path, database_url: str, people: int, cost: int) -> Stage:
    """Prepare a database as ``make run`` does, example company included, and sign ``people`` in.

    Settings have their defaults, except the lifetime of tokens and the limit of sign-ins per address: all
    clients here have one address.
    """
    environment = {
        "RBAC_DATABASE_URL": database_url,
        "RBAC_SECRET_KEY": secrets.token_urlsafe(48),
        "RBAC_ADMIN_PASSWORD": PASSWORD,
        "RBAC_SIGNIN_LIMIT": "1000000 per minute",
        "RBAC_ACCESS_TOKEN_SECONDS": str(LIFETIME),
        "RBAC_PASSWORD_COST": str(cost),
        "RBAC_DATA_DIR": str(folder),
        "RBAC_ISSUER": "http://bench.invalid",
        "RBAC_LOG_LEVEL": "warning",
        "PORT": "8000",
    }
    settings = Settings.from_environment(environment)
    database = Database(settings)
    prepare(settings, database)
    app = create_app(settings)
    bearer: Bearer = app.extensions["rbac-api"].bearer
    with app.app_context(), operator_unit(settings, database) as clearance:
        signed_in = _sign_in(clearance, bearer, people, hash_password(settings, PASSWORD))
    close_app(app)
    database.dispose()
    return Stage(environment, settings, signed_in)


def _sign_in(clearance: Clearance, bearer: Bearer, people: int, hashed: str) -> list[SignedIn]:
    create_role(clearance, {"name": ROLE, "description": "May look at roles."})
    grant_permission(clearance, ROLE, PERMISSION)
    found = []
    for number in range(people):
        name = f"bench-{number}"
        user = add_user(clearance, NewUser(username=name, password_hash=hashed, password_final=True))
        role = "admin" if number == 0 else ROLE
        assign_role(clearance, user.id, role)
        origin = Origin("127.0.0.1", "benchmark", CLIENT)
        grip = begin_session(clearance.connection, clearance.settings, user.id, origin)
        found.append(_tokens(bearer, name, grip, role))
    return found


def _tokens(bearer: Bearer, name: str, grip: RefreshTokenRecord, role: str) -> SignedIn:
    now, moment = int(time.time()), int(grip.auth_time.timestamp())
    issued, ends = int(grip.issued_at.timestamp()), int(grip.expires_at.timestamp())
    access = Issue(grip.user_id, grip.session_id, new_id(), CLIENT, now, now + LIFETIME, moment)
    refresh = Issue(grip.user_id, grip.session_id, grip.jti, CLIENT, issued, ends, moment)
    return SignedIn(
        name,
        bearer.issue_access(access, Authority((role,), 1)),
        bearer.issue_refresh(refresh, grip.generation),
    )
