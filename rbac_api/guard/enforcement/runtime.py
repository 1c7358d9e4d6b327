"""What the services of one application share, besides a unit of work: reached as ``clearance.runtime``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from rbac_api.database.engine import Database
from rbac_api.guard.enforcement.issuers import Issuers
from rbac_api.guard.hashing import Hasher
from rbac_api.guard.incidents.detection import IncidentDetector
from rbac_api.guard.incidents.repetitions import Repetitions
from rbac_api.guard.state.cache import Snapshot
from rbac_api.guard.state.uses import UseRecorder
from rbac_api.guard.tokens.token import TokenIssuer
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
    uses: UseRecorder

    def close(self) -> None:
        """Release threads and what is counted; the database stays open."""
        self.uses.close()
        self.repetitions.close()
        self.snapshot.close()
        self.hasher.close()
