"""Builds the parts of the guard that need no application."""

from __future__ import annotations

from rbac_api.database.engine import Database
from rbac_api.guard.enforcement.issuers import Issuers
from rbac_api.guard.enforcement.runtime import Runtime
from rbac_api.guard.hashing import Hasher
from rbac_api.guard.incidents.detection import IncidentDetector
from rbac_api.guard.incidents.repetitions import Repetitions
from rbac_api.guard.state.cache import Snapshot
from rbac_api.guard.state.uses import UseRecorder
from rbac_api.guard.tokens.jwt import Bearer
from rbac_api.guard.tokens.keys import Keyring
from rbac_api.settings import Settings
from rbac_api.web.server.rate_limits import Limits


def assemble(settings: Settings, database: Database) -> tuple[Runtime, Bearer, Limits]:
    """Return the runtime, and its verifier and its limits, of which requests use more than services do."""
    keyring, repetitions, limits = Keyring(settings, database), Repetitions(), Limits(settings)
    snapshot = Snapshot(database, keyring)

    def is_revoked(session_id: str, jti: str) -> bool:
        snapshot.freshen()
        session = snapshot.session(session_id)
        return session is None or session.ended or jti in snapshot.denied()

    bearer = Bearer(settings, keyring, is_revoked)
    incidents = IncidentDetector(database, repetitions, limits.client_of)
    runtime = Runtime(
        settings, database, snapshot, bearer, repetitions, incidents, Issuers(database, snapshot),
        Hasher(settings), limits, UseRecorder(database),
    )  # fmt: skip
    return runtime, bearer, limits
