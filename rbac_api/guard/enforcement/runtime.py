"""What the services of one application share, besides a unit of work: reached as ``clearance.runtime``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from rbac_api.database.engine import Database
from rbac_api.guard.enforcement.issuers import Issuers
from rbac_api.guard.errors import TokenRevoked
from rbac_api.guard.hashing import Hasher
from rbac_api.guard.incidents.detection import IncidentDetector
from rbac_api.guard.incidents.repetitions import Repetitions
from rbac_api.guard.state.cache import Snapshot
from rbac_api.guard.state.subjects import Person, SessionState
from rbac_api.guard.tokens.token import Token, TokenIssuer
from rbac_api.settings import Settings


class AccountLimits(Protocol):
    """Counts what an account does, see ``web.server.rate_limits.Limits``."""

    def count_account(self, account_id: str | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """One per application; for the command line, one per unit of work."""

    settings: Settings
    database: Database
    snapshot: Snapshot
    tokens: TokenIssuer
    repetitions: Repetitions
    incidents: IncidentDetector
    issuers: Issuers
    hasher: Hasher
    limits: AccountLimits

    def session_and_user(
        self, token: Token, connection: Connection | None = None
    ) -> tuple[SessionState, Person]:
        """Return session and user of a verified token; ``TokenRevoked`` if it is not valid at this moment."""
        session = self.snapshot.session(token.session_id, connection)
        if session is None or session.ended or session.user_id != token.subject:
            raise TokenRevoked()
        if token.jti in self.snapshot.denied(connection):
            raise TokenRevoked()
        person = self.snapshot.person(
            token.subject, connection, second_factor=session.second_factor, roles=session.roles
        )
        if person is None or person.subject.status != "active":
            raise TokenRevoked()
        if session.issued is not None and not self.issuers.covers(person, session.issued, connection):
            raise TokenRevoked()
        return session, person

    def close(self) -> None:
        """Release threads and what is counted; the database stays open."""
        self.repetitions.close()
        self.snapshot.close()
        self.hasher.close()
