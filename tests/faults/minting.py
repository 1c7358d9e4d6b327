"""People and sessions made beforehand, through the service's own code, without the price of a password hash for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rbac_api import clock
from rbac_api.capabilities.assignments.service import assign_role
from rbac_api.capabilities.roles.service import create_role, grant_permission
from rbac_api.capabilities.sessions.service import Origin, RefreshTokenRecord, begin_session
from rbac_api.capabilities.users.service import NewUser, add_user, known_user
from rbac_api.cli.prepare import operator_unit
from rbac_api.database.engine import Database
from rbac_api.factory import close_app, create_app
from rbac_api.guard.tokens.signing import Use
from rbac_api.guard.tokens.token import Authority, Issue
from rbac_api.trail.recorder import Actor, Target, record
from tests.builders import settings_for
from tests.servers.service import SETTINGS

ROLE, PERMISSION = "reader", "roles:read"


@dataclass(frozen=True)
class Pass:
    """A session and its tokens."""

    user_id: str
    session_id: str
    access: str
    refresh: str


class Mint:
    """The service's own code in this process, on the database that the running nodes use."""

    def __init__(self, url: str) -> None:
        self.settings = settings_for(url, issuer=SETTINGS["RBAC_ISSUER"])
        self.app = create_app(self.settings)

    @property
    def database(self) -> Database:
        database: Database = self.app.extensions["rbac-api"].database
        return database

    def people(self, names: list[str]) -> list[str]:
        """New users who hold the role `reader`, which may read roles; their ids."""
        with operator_unit(self.settings, self.database) as clearance:
            if ROLE not in clearance.graph().roles:
                create_role(clearance, {"name": ROLE, "description": "Reads roles."})
                grant_permission(clearance, ROLE, PERMISSION)
            ids = [add_user(clearance, NewUser(username=name)).id for name in names]
            for user_id in ids:
                assign_role(clearance, user_id, ROLE)
        return ids

    def user_id(self, name: str) -> str:
        """The id of somebody who exists."""
        with operator_unit(self.settings, self.database, writes=False) as clearance:
            found = known_user(clearance, name)
            assert found is not None
            return str(found.id)

    def passes(self, user_ids: list[str]) -> list[Pass]:
        """A new session for each, recorded as a sign-in."""
        origin = Origin("127.0.0.1", "minted", "first-party")
        with self.database.writing() as connection:
            grips = [begin_session(connection, self.settings, user_id, origin) for user_id in user_ids]
            ring, ends = self.app.extensions["rbac-api"].keyring, grips[0].expires_at
            ring.note_use(connection, ring.active(connection), Use(clock.now(), ends, ends))
            for grip in grips:
                actor = Actor("user", grip.user_id, None, grip.session_id)
                record(connection, actor, "signin.succeeded", Target("session", grip.session_id))
        with self.app.app_context():
            return [self._sign(grip) for grip in grips]

    def close(self) -> None:
        close_app(self.app)

    def _sign(self, grip: RefreshTokenRecord) -> Pass:
        bearer: Any = self.app.extensions["rbac-api"].bearer
        now, ends = int(clock.now().timestamp()), int(grip.expires_at.timestamp())
        parts: Any = (grip.user_id, grip.session_id, grip.jti, grip.client_id, now, ends, now)
        access, refresh = (
            bearer.issue_access(Issue(*parts), Authority((), 1)),
            bearer.issue_refresh(Issue(*parts), 1),
        )
        return Pass(grip.user_id, grip.session_id, access, refresh)
