"""SQL for reading the trail."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import gt, lt
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    Select,
    UnaryExpression,
    asc,
    cast,
    desc,
    exists,
    func,
    literal_column,
    select,
    union,
    union_all,
)

from rbac_api.database.filters import bounded_count
from rbac_api.database.queries.trail import EVENT, EventRow
from rbac_api.database.queries.users import find_id_by_name
from rbac_api.database.tables import personal_values
from rbac_api.database.tables import trail_domains as places
from rbac_api.database.tables import trail_events as events
from rbac_api.decision.model import ROOT
from rbac_api.decision.names import canonical
from rbac_api.formats.paging import MAX_TOTAL
from rbac_api.trail.events import CATALOGUE
from rbac_api.trail.named_role import names_role

Conditions = list[ColumnElement[bool]]
Place = tuple[Callable[[Any, Any], Any], object]
Order = Callable[[Column[int]], UnaryExpression[int]]
# With one of these an index finds few events, of whatever action.
_SELECTIVE = frozenset({"actor", "target", "role", "ip", "session", "request_id"})
_INDEXED = _SELECTIVE | {"action", "action_not"}  # whose index has the events in the trail's order
# As the index of outcomes has it, which no bound value would find
_RARE_OUTCOME = events.c.outcome != literal_column("'success'")
_FEW_DOMAINS = 8  # each of which is looked up in its index
_WINDOW = 200_000  # events between two moments whose place in the trail is looked up


@dataclass(frozen=True, slots=True)
class Branch:
    """Conditions for which one index finds the events, and the column that has their numbers in it."""

    conditions: Conditions
    seq: Column[int] = events.c.seq


def find_event(connection: Connection, seq: int) -> EventRow | None:
    row = connection.execute(select(*EVENT).where(events.c.seq == seq)).first()
    return EventRow._make(row) if row else None


def list_events(
    connection: Connection, matching: list[Branch], after: tuple[object, ...] | None, limit: int
) -> list[EventRow]:
    """Events, newest first."""
    return _read(connection, matching, None if after is None else (lt, after[0]), limit, desc)


def list_onward(connection: Connection, matching: list[Branch], last: int, limit: int) -> list[EventRow]:
    """Events, oldest first, after the event ``last``."""
    return _read(connection, matching, (gt, last), limit, asc)


def _read(
    connection: Connection, matching: list[Branch], place: Place | None, limit: int, order: Order
) -> list[EventRow]:
    """The first events of a place in the trail that fit one of the branches.

    The first of each branch are looked up in its index, whichever plan the engine would choose for all.
    """
    first = [
        _of(branch, [place[0](branch.seq, place[1])] if place else [])
        .order_by(order(branch.seq))
        .limit(limit)
        .subquery()
        for branch in matching or [Branch([])]
    ]
    found = events.c.seq.in_(union_all(*(select(some.c.seq) for some in first)))
    query = select(*EVENT).where(found).order_by(order(events.c.seq)).limit(limit)
    return [EventRow._make(row) for row in connection.execute(query)]


def _of(branch: Branch, conditions: Conditions) -> Select[int]:
    """The numbers of a branch's events."""
    found = select(branch.seq).where(*branch.conditions, *conditions)
    return found if branch.seq is events.c.seq else found.join(events, events.c.seq == branch.seq)


def count_listed(connection: Connection, matching: list[Branch]) -> int:
    """The number of events for a list, up to the bound of its total."""
    some = [_of(branch, []).limit(MAX_TOTAL + 1).subquery() for branch in matching]
    return bounded_count(connection, union(*(select(each.c.seq) for each in some)))


def count_events(connection: Connection, matching: list[Branch]) -> int:
    found = union(*(_of(branch, []) for branch in matching)).subquery()
    return connection.execute(select(func.count()).select_from(found)).scalar_one()


def is_reading_recorded(connection: Connection, reader: str | None, since: datetime) -> bool:
    """Whether an event says that the reader read the trail since that time. The action is written as the
    index has it."""
    recorded = (events.c.action == literal_column("'audit.read'"), events.c.actor_id == reader)
    return bool(connection.execute(select(exists().where(*recorded, events.c.at >= since))).scalar())


def up_to(seq: int, matching: list[Branch]) -> list[Branch]:
    """The branches, of events up to this one."""
    return [Branch([*branch.conditions, branch.seq <= seq], branch.seq) for branch in matching]


def stream_chain(connection: Connection) -> Iterator[EventRow]:
    """Every event, oldest first, in the form that verification hashes, without trust in the row. Needs a
    streaming connection.

    SQLite stores any value in any column. So there each column is read as bytes: an invalid time, or text
    that is not UTF-8, must not stop the walk before it has named the row.
    """
    raw = connection.dialect.name == "sqlite"
    columns = [cast(c, LargeBinary) if raw and c.name != "seq" else c for c in EVENT]
    with connection.execute(select(*columns).order_by(events.c.seq)) as rows:
        for row in map(EventRow._make, rows):
            stored = zip(EventRow._fields, row, strict=True)
            yield EventRow._make(v if n == "seq" else _hashed(n, v) for n, v in stored) if raw else row


def _hashed(name: str, stored: Any) -> object:
    """The value as it was hashed; what cannot be text becomes something that matches no hash."""
    if stored is None:
        return None
    try:
        text = stored.decode()
    except UnicodeDecodeError:
        return {"bytes": stored.hex()}
    if name == "at":
        return text.replace(" ", "T") + "Z"
    if name == "session_id":
        return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
    return text


def matching(
    connection: Connection, filters: Mapping[str, Any], readable: Collection[str] = (ROOT,)
) -> list[Branch]:
    """The branches of a list's filters, of which an event has to fit one: each is looked up in an index of
    its own. Actor and target by id or name at the time. Only events of the domains ``readable``, and of those
    in them."""
    wanted = (filters.get("domain", ROOT),)
    everywhere = ROOT in readable and ROOT in wanted
    branches = _matching(connection, filters, apart=everywhere)
    for domains in (wanted, readable):
        if ROOT not in domains:
            branches = [one for branch in branches for one in _of_domains(branch, filters, domains)]
    return branches


def _of_domains(branch: Branch, filters: Mapping[str, Any], domains: Collection[str]) -> list[Branch]:
    """A branch, of events of these domains: in the index of each, unless the branch has a better one or they
    are many."""
    if branch.seq is events.c.seq and not _SELECTIVE.intersection(filters) and len(domains) <= _FEW_DOMAINS:
        first = filters.get("from_seq", 0)
        return [
            Branch([*branch.conditions, places.c.domain == domain, places.c.seq >= first], places.c.seq)
            for domain in sorted(domains)
        ]
    there = places.alias()
    concerns = exists().where(there.c.seq == branch.seq, there.c.domain.in_(sorted(domains)))
    return [Branch([*branch.conditions, concerns], branch.seq)]


def _matching(connection: Connection, filters: Mapping[str, Any], *, apart: bool) -> list[Branch]:
    found = [events.c[name] == filters[name] for name in ("request_id", "outcome") if filters.get(name)]
    if filters.get("outcome", "success") != "success" and not _INDEXED.intersection(filters):
        found.append(_RARE_OUTCOME)
    if session := filters.get("session"):
        found.append(events.c.session_id == session.lower())
    if (first := filters.get("from_seq")) is not None:
        found.append(events.c.seq >= first)
    found += _between(connection, filters)
    return [
        Branch(
            [*found, *actor, *target.conditions, *role.conditions, *ip.conditions, *action],
            target.seq if ip.seq is events.c.seq else ip.seq,
        )
        for actor in _by(connection, filters)
        for target in _about(connection, filters)
        for role in _of_role(filters)
        for ip in _from(filters)
        for action in _of_actions(filters, apart=apart)
    ]


def _between(connection: Connection, filters: Mapping[str, Any]) -> Conditions:
    """Events after and before a moment.

    The engines read the trail in its order until they meet some, and would pass half of it. So for events
    between two moments it is looked up in the index of times where in the trail they are.
    """
    found: Conditions = [events.c.at > filters["after"]] if filters.get("after") else []
    if filters.get("before"):
        found.append(events.c.at < filters["before"])
    if len(found) == 2 and not _INDEXED.intersection(filters):
        some = select(events.c.seq).where(*found).limit(_WINDOW + 1).subquery()
        ends = select(func.count(), func.min(some.c.seq), func.max(some.c.seq))
        number, first, last = connection.execute(ends).one()
        if number <= _WINDOW:
            found.append(events.c.seq.between(first or 0, last or 0))
    return found


def _of_role(filters: Mapping[str, Any]) -> list[Branch]:
    """Events about a role itself, which have it as their target, and those whose facts name it."""
    if (role := filters.get("role")) is None:
        return [Branch([])]
    itself = [events.c.target_id == role, events.c.target_type == "role"]
    return [Branch(itself), Branch([names_role(role)])]


def _from(filters: Mapping[str, Any]) -> list[Branch]:
    """Events from an address, which is beside the event, or in it if that was written before there was
    erasure."""
    if (ip := filters.get("ip")) is None:
        return [Branch([])]
    return [Branch([events.c.ip == ip]), Branch([personal_values.c.ip == ip], personal_values.c.seq)]


def _of_actions(filters: Mapping[str, Any], *, apart: bool) -> list[Conditions]:
    """The wanted actions, a branch for each: also of all but some, which may be nearly all that happens."""
    if "action" not in filters and "action_not" not in filters:
        return [[]]
    wanted = set(filters.get("action", CATALOGUE)) - set(filters.get("action_not", ()))
    if _SELECTIVE.intersection(filters) or not apart or not wanted:
        return [[events.c.action.in_(sorted(wanted))]]
    return [[events.c.action == action] for action in sorted(wanted)]


def _by(connection: Connection, filters: Mapping[str, Any]) -> list[Conditions]:
    """Events of an actor.  A username never changes, so a user's are found by the id."""
    if (actor := filters.get("actor")) is None:
        return [[]]
    if named := find_id_by_name(connection, canonical(actor)):
        return [[events.c.actor_id.in_((named, actor))]]
    return [[events.c.actor_id == actor], [events.c.actor_name == actor]]


def _about(connection: Connection, filters: Mapping[str, Any]) -> list[Branch]:
    """Events about a target.  Those about a session or a token of a user have the user's name, which is not
    in the event itself."""
    if (target := filters.get("target")) is None:
        return [Branch([])]
    itself = Branch([events.c.target_name == target])
    if not (named := find_id_by_name(connection, canonical(target))):
        return [Branch([events.c.target_id == target]), itself]
    theirs = [
        personal_values.c.user_id == named,
        personal_values.c.entries.contains('"/target/name":'),
    ]
    name_them = Branch(theirs, personal_values.c.seq)
    if filters.get("ip") is not None:  # for which another row may be read
        name_them = Branch([events.c.seq.in_(select(personal_values.c.seq).where(*theirs))])
    return [Branch([events.c.target_id.in_((named, target))]), itself, name_them]
