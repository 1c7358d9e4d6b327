"""Writes the trail: in the transaction of the change, under the one write lock, so that ``seq`` order is
commit order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, insert
from sqlalchemy.exc import DBAPIError

from rbac_api import clock
from rbac_api.database.engine import batched, is_writer, publish
from rbac_api.database.tables import trail_domains, trail_events
from rbac_api.decision.domains import lineage
from rbac_api.decision.model import ROOT
from rbac_api.errors import Unavailable
from rbac_api.trail.events import CATALOGUE
from rbac_api.trail.feed import Position, find_end, note_end
from rbac_api.trail.fields import SECRET_NAMES
from rbac_api.trail.outbox import take
from rbac_api.trail.personal import add_values, conceal
from rbac_api.trail.refused import add_decisions
from rbac_verifier.events import event_hash as hash_of_fields


class TrailUnavailable(Unavailable):
    """The event could not be written, so the change it describes was not made either."""

    code = "audit.unavailable"
    title = "The audit trail cannot be written"
    default_detail = (
        "The audit trail cannot be written, so nothing was changed. Try again after the number of seconds"
        " in Retry-After."
    )


class Actor(NamedTuple):  # made for every request; a frozen dataclass is much slower
    """Who did it and from where: a ``user`` or ``service`` account by id and name at the time, the
    ``operator`` at a shell, the ``system``, or ``anonymous``."""

    type: Literal["user", "service", "operator", "system", "anonymous"]
    id: str | None = None
    name: str | None = None
    session_id: str | None = None
    ip: str | None = None
    request_id: str | None = None
    user_agent: str | None = None  # as it was sent
    home: str = ROOT  # the domain where the account is at home

    @property
    def safe_user_agent(self) -> str | None:
        """The user agent without unprintable characters, and not too long to store and show."""
        sent = self.user_agent
        return "".join(c for c in sent if c.isprintable())[:MAX_USER_AGENT_LENGTH] if sent else None


@dataclass(frozen=True, slots=True)
class Target:
    """What it was done to: its type, its id, its name at the time, and the domain where it is at home, if the
    actor does not say that."""

    type: str
    id: str | None = None
    name: str | None = None
    home: str | None = None


Facts = Mapping[str, Any] | None


Outcome = Literal["success", "refused", "failure"]


class Event(NamedTuple):
    """Something that happened, before it has a place in the trail; it concerns the ``domain``, or else the
    home of its target."""

    action: str
    target: Target
    reason: str | None = None
    before: Facts = None
    after: Facts = None
    outcome: Outcome = "success"
    domain: str | None = None


_BATCH_SIZE = 1000
_LINKED = "outbox_linked"  # in ``connection.info``: the transaction that has linked what waits
_ABOUT_SESSIONS = frozenset({"user", "session", "sessions", "keys"})
MAX_USER_AGENT_LENGTH = 256
MAX_TEXT_LENGTH = 1000  # characters: as long as the longest description or reason may be
SYSTEM = Actor("system", name="rbac-api")
OPERATOR = Actor("operator", name="command line")

_ADDITION = insert(trail_events)
_PLACES = insert(trail_domains)
_WRITTEN = [column.name for column in trail_events.c]
_LONGEST = {
    "actor_id": 64, "actor_name": 256, "target_type": 32, "target_id": 256, "target_name": 256,
    "reason": MAX_TEXT_LENGTH, "ip": 64,
    "request_id": 128,
}  # fmt: skip


def record(
    connection: Connection,
    actor: Actor,
    action: str,
    target: Target,
    *,
    outcome: Outcome = "success",
    reason: str | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    domain: str | None = None,
) -> int:
    """Append one event and return its ``seq``.

    ``before`` and ``after`` are JSON objects of public facts; ``domain`` as that of an ``Event``.  Raises
    ``KeyError`` for an action outside the catalogue, ``ValueError`` for a secret, ``TrailUnavailable`` if the
    row cannot be written.
    """
    kind = CATALOGUE[action]
    if secrets := SECRET_NAMES.intersection(_names((before, after))):
        raise ValueError(f"{action} would record a secret: {sorted(secrets)}")
    with unavailable_if_unwritten():
        event = _event(actor, Event(action, target, reason, before, after, outcome, domain))
        end = _append(connection, [*_waiting_before(connection, (action,)), event])
        if kind.touches:
            publish(connection, end.seq)
    return end.seq


def link_waiting(connection: Connection) -> None:
    """Link the events of the outbox, which were committed before whatever this transaction records next."""
    if waiting := _take_waiting(connection):
        _append(connection, waiting)


def _waiting_before(connection: Connection, actions: Iterable[str]) -> list[dict[str, Any]]:
    """Return what waits, to be linked before events of these kinds: before the first ones of a transaction,
    and again before those about users or sessions.

    Only these have to come after what was committed since: this transaction may have waited for the row of
    the user or the session, which a waiting event is about.
    """
    transaction = connection.get_transaction()
    if connection.info.get(_LINKED) is transaction and not any(
        CATALOGUE[action].touches in _ABOUT_SESSIONS for action in actions
    ):
        return []
    connection.info[_LINKED] = transaction
    return _take_waiting(connection)


def _take_waiting(connection: Connection) -> list[dict[str, Any]]:
    """Return the events of the outbox, the last of them if there are too many for one statement: the others
    are linked."""
    if connection.dialect.name == "sqlite":
        return []  # it has one writer anyway, so events are linked at once
    while len(some := take(connection, _BATCH_SIZE)) == _BATCH_SIZE:
        _append(connection, some)
    return some  # those committed meanwhile wait for the next writer: else the lock would be held for long


def record_events(connection: Connection, actor: Actor, events: Iterable[Event]) -> None:
    """Append many events of any kinds, in few statements."""
    append_events(connection, prepared_events(actor, events))


def prepared_events(actor: Actor, events: Iterable[Event]) -> list[dict[str, Any]]:
    """Return the rows of events, without moment and position: slow work can be done before the write lock is
    taken."""
    rows = []
    for event in events:
        if secrets := SECRET_NAMES.intersection(_names((event.before, event.after))):
            raise ValueError(f"{event.action} would record a secret: {sorted(secrets)}")
        rows.append(_event(actor, event))
    return rows


def append_events(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Give prepared rows their positions, and write them."""
    with unavailable_if_unwritten():
        waiting, now = _waiting_before(connection, (event["action"] for event in rows)), clock.now()
        end = _append(connection, [*waiting, *(event | {"at": now} for event in rows)])
        if any(CATALOGUE[event["action"]].touches for event in rows):
            publish(connection, end.seq)


@contextmanager
def unavailable_if_unwritten() -> Iterator[None]:
    """Raise ``TrailUnavailable`` if a row cannot be written; an error that a second attempt may cure stays as
    it is."""
    try:
        yield
    except DBAPIError as fault:
        if getattr(fault.orig, "sqlstate", None) in ("40001", "40P01"):
            raise
        raise TrailUnavailable(internal=str(fault.orig)) from fault


def _names(facts: Any) -> Iterator[str]:
    """Yield the names of all members, at any depth."""
    if isinstance(facts, Mapping):
        yield from facts
        facts = tuple(facts.values())
    if isinstance(facts, (list, tuple)):
        for inner in facts:
            yield from _names(inner)


def _event(actor: Actor, event: Event) -> dict[str, Any]:
    target, domain = event.target, _domain(actor, event)
    row = {
        "at": clock.now(),
        "actor_type": actor.type,
        "actor_id": actor.id,
        "actor_name": actor.name,
        "session_id": actor.session_id,
        "action": event.action,
        "target_type": target.type,
        "target_id": target.id,
        "target_name": target.name,
        "outcome": event.outcome,
        "reason": event.reason,
        "before": bounded(event.before) if event.before else None,
        "after": bounded(event.after) if event.after else None,
        "ip": actor.ip,
        "request_id": actor.request_id,
        "domain": None if domain == ROOT else domain,
    }
    return conceal({**row, **{name: bounded(row[name], longest) for name, longest in _LONGEST.items()}})


def _domain(actor: Actor, event: Event) -> str:
    """Return the domain that an event concerns: what an actor does to itself, or is refused, concerns its
    home."""
    target = event.target
    own = target.type == "operation" or (target.id and target.id in (actor.id, actor.session_id))
    return event.domain or target.home or (actor.home if own else ROOT)


def _places(events: Iterable[Mapping[str, Any]]) -> list[dict[str, object]]:
    """Return the rows by which events are found by domain."""
    return [
        {"domain": domain, "seq": event["seq"]}
        for event in events
        if event["domain"]
        for domain in lineage(event["domain"])
        if domain != ROOT
    ]


def _append(connection: Connection, events: list[dict[str, Any]]) -> Position:
    """Link events to the end of the chain and write them; return where it ends now."""
    if not is_writer(connection):
        raise RuntimeError("an event can be linked only by a transaction that holds the write lock")
    end = find_end(connection)
    for event in events:
        event |= {"seq": end.seq + 1, "prev_hash": end.hash}
        event["hash"] = event_hash(event)
        end = Position(event["seq"], event["hash"])
    for some in batched(events, _BATCH_SIZE):
        connection.execute(_ADDITION, [{name: event[name] for name in _WRITTEN} for event in some])
    for some in batched(_places(events), _BATCH_SIZE):
        connection.execute(_PLACES, some)
    add_values(connection, events)
    if decided := [event for event in events if event.get("decision")]:
        add_decisions(connection, decided)
    note_end(connection, end)
    return end


def bounded(value: object, longest: int = MAX_TEXT_LENGTH) -> object:
    """Return the value with every text in it cut to this many characters: callers must not decide how much
    the trail stores."""
    if isinstance(value, str):
        return value if len(value) <= longest else value[: longest - 1] + "…"
    if isinstance(value, Mapping):
        return {bounded(name): bounded(inner, longest) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [bounded(inner, longest) for inner in value]
    return value


def event_hash(event: Mapping[str, object]) -> str:
    """Return the event's own hash, from its fields; ``at`` may be a datetime or RFC 3339 text."""
    at = event["at"]
    return hash_of_fields({**event, "at": clock.rfc3339(at)} if isinstance(at, datetime) else event)
