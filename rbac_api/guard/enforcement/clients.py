"""Authenticates service accounts by a secret: HTTP Basic or form fields (RFC 6749 section 2.3.1).

A secret has 256 random bits, so it cannot be guessed and needs no slow hash: it is found by its keyed hash.
Every failure takes the same path and gives the same answer.

The trail records why it failed, once a minute for each account and once for all that do not exist: repeated
bad requests cannot fill a table.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.database.engine import Database
from rbac_api.database.types import UUID
from rbac_api.formats.oauth_errors import InvalidClient
from rbac_api.guard.enforcement import queries_clients as queries
from rbac_api.guard.enforcement.issuers import Issuers
from rbac_api.guard.enforcement.queries_clients import SecretRow, ServiceRow
from rbac_api.guard.incidents.repetitions import Repetitions
from rbac_api.guard.state.cache import Snapshot
from rbac_api.guard.state.subjects import Issued
from rbac_api.guard.tokens.token import Token
from rbac_api.observability.metrics import CLIENTS
from rbac_api.sealing import derived_key
from rbac_api.settings import Settings
from rbac_api.trail.recorder import Actor, Target, record

UNKNOWN_CLIENT = "00000000-0000-0000-0000-000000000000"
USE_RECORD_SECONDS = 60.0  # seconds between two records of the same secret's use
_ID = re.compile(UUID)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A client id and a secret, as the request has them."""

    client_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Client:
    """An authenticated service account, and the secret that it used."""

    id: str
    name: str
    secret_id: str
    secret_expires_at: datetime
    digest: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller (at most one of ``client`` and ``token``), and the form that was sent."""

    actor: Actor
    form: dict[str, str] = field(repr=False)  # a secret may be in it
    client: Client | None = None
    token: Token | None = None


def secret_digest(settings: Settings, secret: str) -> str:
    """Return what is stored of a client's secret: a hash that cannot be computed without the instance
    secret."""
    key = derived_key(settings.secret_key, "client-secret")
    return hmac.new(key, secret.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


class Clients:
    """Authenticates clients by their credentials."""

    def __init__(
        self, settings: Settings, database: Database, repeated: Repetitions, snapshot: Snapshot
    ) -> None:
        self._settings = settings
        self._database = database
        self._repeated = repeated
        self._snapshot = snapshot
        self._issuers = Issuers(database, snapshot)

    def authenticate(self, credentials: Credentials, actor: Actor) -> Client:
        """Return the service account whose credentials these are; otherwise ``InvalidClient``, recorded as of
        ``actor``."""
        digest = secret_digest(self._settings, credentials.secret)
        known = credentials.client_id if _ID.fullmatch(credentials.client_id) else UNKNOWN_CLIENT
        with self._database.reading() as connection:
            account, secret = queries.find_service(connection, known), queries.find_secret(connection, digest)
        fault = _fault(account, secret, known) or self._outgrown(known, secret)
        if fault or account is None or secret is None:
            CLIENTS.labels("failed").inc()
            self._record(account, fault, actor)
            raise InvalidClient()
        CLIENTS.labels("succeeded").inc()
        self._note_use(secret)
        return Client(account.id, account.username, secret.id, secret.expires_at, digest)

    def confirm(self, connection: Connection, client: Client) -> None:
        """Authenticate again on what a writing transaction sees: a secret may have been withdrawn
        meanwhile."""
        account, secret = (
            queries.find_service(connection, client.id),
            queries.find_secret(connection, client.digest),
        )
        if _fault(account, secret, client.id) or self._outgrown(client.id, secret, connection):
            raise InvalidClient()

    def _outgrown(
        self, account_id: str, secret: SecretRow | None, connection: Connection | None = None
    ) -> str | None:
        """Say why a correct secret opens nothing: its issuer, who knows it, holds less than the account."""
        if secret is None or secret.created_by is None:
            return None
        person = self._snapshot.person(account_id, connection)
        issued = Issued(secret.created_by, secret.created_at)
        covered = person is None or self._issuers.covers(person, issued, connection)
        return None if covered else "secret issued by a user who holds less than the account"

    def _note_use(self, secret: SecretRow) -> None:
        now = clock.now()
        since = now - timedelta(seconds=USE_RECORD_SECONDS)
        if secret.last_used_at is None or secret.last_used_at < since:
            with self._database.writing() as connection:
                queries.note_use(connection, secret.id, now, since)

    def _record(self, account: ServiceRow | None, fault: str | None, actor: Actor) -> None:
        target = Target("service_account", *((account.id, account.username, account.home) if account else ()))

        def write(times: int) -> bool:
            with self._database.writing() as connection:
                facts = {"times": times}
                record(
                    connection, actor, "client.failed", target, outcome="failure", reason=fault, after=facts
                )
            return True

        self._repeated.once(("client", target.id or UNKNOWN_CLIENT), write, write)


def _fault(account: ServiceRow | None, secret: SecretRow | None, client_id: str) -> str | None:
    """Say why these credentials open nothing, for the trail alone; None if they do."""
    if account is None:
        return "unknown client"
    if secret is None or not hmac.compare_digest(secret.service_account_id, client_id):
        return "wrong secret"
    if secret.withdrawn_at is not None:
        return "withdrawn secret"
    if secret.expires_at <= clock.now():
        return "expired secret"
    return None if account.status == "active" else str(account.status)
