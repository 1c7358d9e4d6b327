"""Makes a POST safe to repeat: the first answer is kept, sealed, and returned again for the same key and
body.

The answer is stored in the transaction of the change, so either both exist or neither.  While the first
request still runs in this process, a second one with the same key gets 409.  In another process it waits for
the write lock, meets the first one's answer or conflict, and returns that answer.

Answers are kept for 24 hours, per caller (draft-ietf-httpapi-idempotency-key-header section 2).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from flask import Request, Response
from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.database.constraints import register_constraint
from rbac_api.database.engine import Database
from rbac_api.decision.model import ROOT
from rbac_api.errors import Conflict, Fault
from rbac_api.guard.enforcement import queries_idempotency as queries
from rbac_api.guard.errors import IdempotencyKeyInvalid, IdempotencyMismatch, IdempotencyRunning
from rbac_api.sealing import derived_key, seal, unseal

HEADER = "Idempotency-Key"
KEPT = timedelta(hours=24)
PURPOSE = "idempotency"
_KEY = re.compile(r'(?P<quote>"?)(?P<key>[!#-~]{1,255})(?P=quote)')  # a quoted key is the same key
Keep = Callable[[Connection, Response], None]

register_constraint("pk_idempotency_keys", IdempotencyRunning)


@dataclass(frozen=True, slots=True)
class Repeatable:
    """One request under a key: the caller, the key, and the fingerprint of method, path and body."""

    scope: str
    key: str
    fingerprint: str


class Repeats:
    """Runs each request that carries a key at most once."""

    def __init__(self, database: Database, secret: str) -> None:
        self._database = database
        self._secret = secret
        self._running: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def once(
        self, request: Request, scope: str, run: Callable[[Keep], Response], domain: str = ROOT
    ) -> Response:
        """Call ``run`` with a way to keep its answer, or return the answer of the first time: in a session at
        the same domain."""
        repeatable = _repeatable(request, scope, domain, self._secret)
        if repeatable is None:
            return run(lambda _connection, _answer: None)
        claim = (repeatable.scope, repeatable.key)
        with self._lock:
            if claim in self._running:
                raise IdempotencyRunning()
            self._running.add(claim)
        try:
            return self._stored(repeatable) or self._run(repeatable, run)
        finally:
            self._running.discard(claim)

    def _run(self, repeatable: Repeatable, run: Callable[[Keep], Response]) -> Response:
        try:
            return run(lambda connection, answer: self._store(connection, repeatable, answer))
        except Conflict:
            stored = self._stored(repeatable)  # another process has run this request
            if stored is None:
                raise
            return stored

    def _stored(self, repeatable: Repeatable) -> Response | None:
        with self._database.reading() as connection:
            row = queries.find_answer(connection, repeatable.scope, repeatable.key, clock.now())
        if row is None:
            return None
        if row.fingerprint != repeatable.fingerprint:
            raise IdempotencyMismatch()
        tag, _, body = unseal(self._secret, PURPOSE, row.body_sealed).partition(b"\n")
        answer = Response(body, status=row.status, content_type="application/json")
        for name, value in (("Location", row.location), ("ETag", tag.decode())):
            if value:
                answer.headers[name] = value
        return answer

    def _store(self, connection: Connection, repeatable: Repeatable, answer: Response) -> None:
        now, tag = clock.now(), answer.headers.get("ETag", "")
        queries.clear_old_answers(connection, now)
        row = {
            "scope": repeatable.scope,
            "key": repeatable.key,
            "fingerprint": repeatable.fingerprint,
            "status": answer.status_code,
            "location": answer.headers.get("Location"),
            "body_sealed": seal(self._secret, PURPOSE, tag.encode() + b"\n" + answer.get_data()),
            "created_at": now,
            "expires_at": now + KEPT,
        }
        queries.add_answer(connection, row)


def _repeatable(request: Request, scope: str, domain: str, secret: str) -> Repeatable | None:
    sent = request.headers.get(HEADER) if request.method == "POST" else None
    if sent is None:
        return None
    found = _KEY.fullmatch(sent)
    if found is None:
        raise IdempotencyKeyInvalid(
            faults=(Fault("/Idempotency-Key", "idempotency.invalid", IdempotencyKeyInvalid.default_detail),)
        )
    where = () if domain == ROOT else (domain.encode(),)
    parts = (*where, request.method.encode(), request.path.encode(), request.get_data(cache=True))
    # A keyed hash: a body may hold a password, and a plain hash would allow guessing it.
    key = derived_key(secret, "idempotency-fingerprint")
    return Repeatable(scope, found["key"], hmac.new(key, b"\n".join(parts), hashlib.sha256).hexdigest())
