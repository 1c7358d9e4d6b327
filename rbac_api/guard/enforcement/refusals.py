"""Records each refusal under a number, by which the caller or an auditor can have it explained later.

It keeps what the past roles alone cannot show: what was asked for, whether a second factor was proved, and
the roles that the session was begun with, which may have changed since.

A caller who repeats a request cannot fill the trail: the same refusal of the same account is written once a
minute.  Its repetitions get the number of the first, and one event says how many they were (``repetitions``).
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Request

from rbac_api import clock
from rbac_api.database.engine import Database
from rbac_api.database.types import new_id
from rbac_api.decision.model import ROOT
from rbac_api.errors import ServiceError
from rbac_api.guard.enforcement.rules import Rule
from rbac_api.guard.incidents.repetitions import MAX_REMEMBERED, QUIET_SECONDS, Key, Repetitions
from rbac_api.guard.state.subjects import SessionState
from rbac_api.trail.recorder import Actor, Event, Target, prepared_events
from rbac_api.trail.refused import decision_text
from rbac_api.trail.sequencer import record_alone

MAX_PATH_LENGTH = 192
MAX_CAUSES = 100  # of one account in a minute; further ones are counted together
FURTHER = "further"


@dataclass(frozen=True, slots=True)
class Refused:
    """Who was refused what: for which ``permission`` or ``role``, in which session, and by which request."""

    actor: Actor
    refusal: ServiceError
    permission: str | None
    role: str | None
    session: SessionState | None
    at: datetime
    method: str
    path: str  # at most as long as an event may hold

    @classmethod
    def of(
        cls,
        asked: Request,
        actor: Actor,
        rule: Rule,
        refusal: ServiceError,
        session: SessionState | None,
    ) -> Refused:
        """Build the refusal of this request, at this moment."""
        path = asked.path.replace("\0", "")[:MAX_PATH_LENGTH]  # no database can hold NUL
        permission = rule.permission or refusal.members.get("required")
        return cls(actor, refusal, permission, rule.role, session, clock.now(), asked.method, path)

    @property
    def cause(self) -> Key:
        """The key under which refusals of this account count as the same."""
        where = str(self.refusal.members.get("domain", ""))
        return self.refusal.code, self.permission or "", self.role or "", where, self.refusal.detail


class Refusals:
    """The refusals of this process."""

    def __init__(self, database: Database, repeated: Repetitions) -> None:
        self._database = database
        self._repeated = repeated
        self._counting = threading.Lock()
        # By account: until when they count, and the causes
        self._causes: dict[str, tuple[float, set[Key]]] = {}

    def add(self, refused: Refused) -> str | None:
        """Write or count a refusal; return the number that explains it, None if the account has too many
        different ones."""
        account = refused.actor.id or refused.actor.type
        cause = self._told_apart(account, refused.cause)
        number = new_id()

        def now(times: int) -> bool:
            record_alone(self._database, _event(refused, times) | {"decision": _decision(refused, number)})
            return True

        def later(times: int) -> bool:
            record_alone(self._database, _event(refused, times))
            return True

        latest = self._repeated.once(("refusal", account, *cause), now, later, number)
        return None if cause[-1] is FURTHER else latest

    def forget(self) -> None:
        """Forget what was counted."""
        with self._counting:
            self._causes.clear()
        self._repeated.forget()

    def _told_apart(self, account: str, cause: Key) -> Key:
        now = clock.monotonic()
        with self._counting:
            until, causes = self._causes.pop(account, (now, set()))
            if now >= until:
                until, causes = now + QUIET_SECONDS, set()
            if len(self._causes) >= MAX_REMEMBERED:
                self._causes.pop(next(iter(self._causes)))
            self._causes[account] = until, causes
            if cause in causes or len(causes) < MAX_CAUSES:
                causes.add(cause)
                return cause
        return cause[0], FURTHER


def _decision(refused: Refused, number: str) -> str:
    session = refused.session
    chosen = session.roles.chosen if session is not None else None
    row = {
        "id": number, "at": refused.at,
        "user_id": refused.actor.id, "session_id": refused.actor.session_id,
        "permission": refused.permission, "role": refused.role,
        "code": refused.refusal.code, "detail": refused.refusal.recorded_detail,
        "second_factor": session is not None and session.second_factor,
        "chosen_roles": None if chosen is None else " ".join(sorted(chosen)),
    }  # fmt: skip
    return decision_text(row)


def _event(refused: Refused, times: int) -> dict[str, Any]:
    """One event for this many refusals of one cause: this one, and those before it that were only counted."""
    facts: dict[str, object] = {
        "code": refused.refusal.code,
        "method": refused.method,
        "path": refused.path,
        "required": refused.permission or refused.role,
        "times": times,
    }
    if (domain := refused.refusal.members.get("domain")) is not None:
        facts["domain"] = domain
    if refused.session is not None and refused.session.roles.domain != ROOT:
        facts["session_domain"] = refused.session.roles.domain
    target, reason = Target("operation", refused.path), refused.refusal.recorded_detail
    refusal = Event("access.refused", target, reason, after=facts, outcome="refused")
    (event,) = prepared_events(refused.actor, (refusal,))
    return event
