"""Detects what an administrator should look at, and opens an incident with both parties side by side.

There are three types.  ``refresh-reuse``: a spent refresh token came back.  ``stale-use``: a token that still
verifies was used though its session has ended, or it claims a role that its owner has lost; where tokens are
verified offline, it would have been accepted.  It does not count where it was the user's own doing, see
``own_terminations``.  ``lockout``: an account was locked.

Of each type there is one open incident about a session or an account: its first occurrence is an event in the
trail, every further one only counts.

A caller who repeats a request must not make the service write each time: repetitions are counted, and written
as one number (``repetitions``).  The figures in ``/metrics`` count each of them at once.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.database.engine import Database
from rbac_api.database.queries.sessions import RefreshTokenRow, SessionRow, find_refresh_token
from rbac_api.database.types import new_id
from rbac_api.decision.evaluate import in_force
from rbac_api.decision.model import ROOT
from rbac_api.errors import ServiceError, Unavailable
from rbac_api.guard.errors import AccessDenied
from rbac_api.guard.incidents import queries
from rbac_api.guard.incidents.own_terminations import ClientOf, OwnTerminations
from rbac_api.guard.incidents.repetitions import Key, Repetitions
from rbac_api.guard.state.subjects import Person
from rbac_api.guard.tokens.token import Token
from rbac_api.observability.logs import log
from rbac_api.observability.metrics import ALARMS, INCIDENTS
from rbac_api.trail.recorder import Actor, Target, record

Claim = Literal["lost", "dropped"]
Kind = Literal["refresh-reuse", "stale-use", "lockout"]


@dataclass(frozen=True, slots=True)
class Party:
    """Where and when a caller was seen."""

    ip: str | None
    user_agent: str | None
    at: datetime | None


UNKNOWN_PARTY = Party(None, None, None)


@dataclass(frozen=True, slots=True)
class NewIncident:
    """What happened, and to which user.  ``subject`` is the session's or the account's id, ``rightful`` the
    party that was there first."""

    type: Kind
    subject: str
    user_id: str
    username: str
    session_id: str | None
    rightful: Party
    home: str  # of the user


class IncidentDetector:
    """Counts what this process has noticed."""

    def __init__(self, database: Database, repeated: Repetitions, client_of: ClientOf) -> None:
        self._database = database
        self._repeated = repeated
        self._own = OwnTerminations(database, client_of)

    def notice(self, kind: Kind, subject: str) -> int:
        """Count an occurrence; return how many to write now: none while it is quiet."""
        ALARMS.labels(kind).inc()
        return self._repeated.count(
            ("alarm", kind, subject), lambda times: self._raise(kind, subject, times)
        )[0]

    def dead_token(self, token: Token, actor: Actor) -> None:
        """Record that a token that verifies was used after its session had ended.

        Never changes the answer: without a database there is no incident yet, and the token is refused all
        the same.
        """
        try:
            self._stale_use(
                actor, token.session_id, lambda: self._own.ended(token.session_id, token.jti, actor)
            )
        except Unavailable as fault:
            log.warning("alarms.unwritten", session_id=token.session_id, internal=fault.internal)

    def stale_claim(self, claim: Claim, actor: Actor) -> None:
        """Record that the caller was refused what the token still claims."""
        session_id = actor.session_id or ""
        self._stale_use(
            actor, session_id, lambda: claim == "dropped" and self._own.dropped(session_id, actor)
        )

    def _stale_use(self, actor: Actor, session_id: str, is_own: Callable[[], bool]) -> None:
        key: Key = ("alarm", "stale-use", session_id)
        if not self._repeated.is_quiet(key) and is_own():
            return
        ALARMS.labels("stale-use").inc()

        def now(times: int) -> bool:
            with self._database.writing() as connection:
                open_stale_use_incident(connection, actor, session_id, times)
            return True

        self._repeated.once(key, now, lambda times: self._raise("stale-use", session_id, times))

    def _raise(self, kind: Kind, subject: str, times: int) -> bool:
        with self._database.writing() as connection:
            return queries.raise_newest(connection, kind, subject, times)


def claim_elsewhere(refusal: ServiceError, person: Person, claimed: tuple[str, ...]) -> Claim | None:
    """Return whether a service that believes the claimed roles, some of which no longer count, would have
    allowed what was refused.

    ``dropped`` if the user alone could have it again: a role that is still assigned, but was dropped from the
    session, or requires the second factor that the user removed.
    """
    if not isinstance(refusal, AccessDenied) or claimed == person.claimed:
        return None
    person = person.acting
    assigned = (a.role for a in person.subject.assignments if in_force(a, clock.now()))
    if not _allows(refusal, person, claimed):
        return None
    return "dropped" if _allows(refusal, person, person.graph.closure_of(assigned)) else "lost"


def _allows(refusal: ServiceError, person: Person, roles: Collection[str]) -> bool:
    missing = refusal.members
    return missing.get("required_role") in roles or missing.get("required") in person.graph.held_by(roles)


def open_incident(connection: Connection, actor: Actor, alarm: NewIncident, times: int = 1) -> None:
    """Open an incident, or count on the open one, in the caller's writing transaction."""
    if queries.raise_occurrences(connection, alarm.type, alarm.subject, times):
        return
    incident_id, other = new_id(), Party(actor.ip, actor.safe_user_agent, clock.now())
    row = {
        "id": incident_id, "type": alarm.type, "subject": alarm.subject,
        "user_id": alarm.user_id, "session_id": alarm.session_id, "opened_at": other.at, "occurrences": times,
        **_columns("rightful", alarm.rightful), **_columns("other", other),
    }  # fmt: skip
    queries.add_incident(connection, row)
    facts = {
        "user": {"id": alarm.user_id, "username": alarm.username},
        "session_id": alarm.session_id,
        "rightful": _described(alarm.rightful),
        "other": _described(other),
    }
    target = Target("incident", incident_id, alarm.type, alarm.home)
    record(connection, actor, "incident.opened", target, outcome="refused", reason=alarm.type, after=facts)
    INCIDENTS.labels(alarm.type).inc()


def open_stale_use_incident(connection: Connection, actor: Actor, session_id: str, times: int) -> None:
    """Open an incident about a token of this session that claims what is no longer true.  Rightful is who
    signed in."""
    origin = queries.find_origin(connection, session_id)
    if origin is not None:
        alarm = NewIncident(
            "stale-use", session_id, origin.user_id, origin.username, session_id, _seen(origin), origin.home
        )
        open_incident(connection, actor, alarm, times)


def open_reuse_incident(
    connection: Connection, actor: Actor, session: SessionRow, spent: RefreshTokenRow, times: int
) -> None:
    """Open an incident about a spent refresh token that came back.  Rightful is who spent it first, though
    that may have been the thief."""
    successor = find_refresh_token(connection, spent.replaced_by) if spent.replaced_by else None
    rightful = Party(successor.ip, session.user_agent, successor.issued_at) if successor else UNKNOWN_PARTY
    whose = (session.user_id, session.username, session.id)
    alarm = NewIncident("refresh-reuse", session.id, *whose, rightful, session.home)
    open_incident(connection, actor, alarm, times)


def open_lockout_incident(connection: Connection, actor: Actor, user: Target) -> None:
    """Open an incident about a locked account.  Rightful is who signed in last."""
    ALARMS.labels("lockout").inc()
    user_id, home = user.id or "", user.home or ROOT
    origin = queries.find_latest_origin(connection, user_id)
    rightful = _seen(origin) if origin is not None else UNKNOWN_PARTY
    alarm = NewIncident("lockout", user_id, user_id, user.name or "", None, rightful, home)
    open_incident(connection, actor, alarm)


def _seen(origin: queries.Origin) -> Party:
    return Party(origin.ip, origin.user_agent, origin.last_seen_at)


def _columns(name: str, party: Party) -> dict[str, object]:
    return {f"{name}_ip": party.ip, f"{name}_user_agent": party.user_agent, f"{name}_at": party.at}


def _described(party: Party) -> dict[str, object]:
    at = clock.rfc3339(party.at) if party.at else None
    return {"ip": party.ip, "user_agent": party.user_agent, "at": at}
