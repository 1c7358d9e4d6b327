"""Reads, exports and verifies the trail. Reading it is recorded too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import cast

import orjson
from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.audit import queries
from rbac_api.capabilities.audit.errors import EventNotFound
from rbac_api.database.engine import Database
from rbac_api.database.queries.trail import EventRow
from rbac_api.database.queries.users import audit_reference
from rbac_api.decision.model import ROOT
from rbac_api.formats.paging import Page, PageRequest, cut
from rbac_api.formats.sheets import CHUNK, Form, Sheet, flattened, stream
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.trail.canonical_form import canonical
from rbac_api.trail.chain import Verdict, verify
from rbac_api.trail.feed import newest_seq
from rbac_api.trail.personal import disclose
from rbac_api.trail.recorder import Target, record
from rbac_api.trail.sequencer import drain_outbox
from rbac_verifier.notes import Checkpoint

Progress = Callable[[int], object]


def list_events(
    clearance: Clearance, filters: Mapping[str, object], page: PageRequest
) -> Page[dict[str, object]]:
    """Events, newest first; with ``from_seq`` oldest first, after what waited in the outbox was linked."""
    readable = clearance.domains_granting()
    drain_outbox(clearance.work.database)
    with (
        clearance.work.database.reading() as connection
    ):  # returned before `_record_reading` takes one: no request waits for two
        matching = queries.matching(connection, filters, readable)
        if "from_seq" in filters:
            last = cast("int", page.after[0]) if page.after else 0
            rows = queries.list_onward(connection, matching, last, page.limit + 1)
        else:
            rows = queries.list_events(connection, matching, page.after, page.limit + 1)
        total = queries.count_listed(connection, matching) if page.count else None
    _record_reading(clearance, filters)
    return cut(rows, page, lambda row: (row.seq,), total).map(describe)


def get_event(clearance: Clearance, seq: int) -> dict[str, object]:
    """One event by its number."""
    drain_outbox(clearance.work.database)
    with clearance.work.database.reading() as connection:
        row = EventNotFound.require(queries.find_event(connection, seq))
    clearance.over(row.domain or ROOT, "audit:read", EventNotFound)
    _record_reading(clearance, {"seq": seq})
    return describe(row)


def export_events(clearance: Clearance, filters: Mapping[str, object], form: Form) -> Iterator[bytes]:
    """All matching events present now, oldest first, as a stream of CSV or NDJSON; a few hundred are in
    memory at a time."""
    readable, newest = clearance.domains_granting(), trail_length(clearance.work.database)
    with clearance.work.database.writing() as connection:
        _record(connection, clearance, "audit.exported", {**filters, "form": form})
    return stream_events(clearance.work.database, filters, form, newest, readable)


def stream_events(
    database: Database,
    filters: Mapping[str, object],
    form: Form,
    newest: int,
    readable: Collection[str] = (ROOT,),
) -> Iterator[bytes]:
    """The stream itself, up to event ``newest``, of these domains. Holds no connection while the client, who
    may be slow, reads."""

    def batch(last: EventRow | None) -> list[EventRow]:
        with database.reading() as connection:
            matching = queries.up_to(newest, queries.matching(connection, filters, readable))
            return queries.list_onward(connection, matching, last.seq if last else 0, CHUNK)

    return stream(SHEET, form, batch)


def verify_trail(
    database: Database,
    expected: Mapping[int, str],
    progress: Progress | None = None,
    checkpoint: Checkpoint | None = None,
) -> Verdict:
    """Walk the whole chain; ``progress`` is called with each event's number.

    What waited in the outbox is linked before, so every event that was acknowledged by now is verified.
    """
    drain_outbox(database)
    with database.streaming() as connection:
        return verify(_watched(queries.stream_chain(connection), progress), expected, checkpoint)


def trail_length(database: Database) -> int:
    """The newest event's number: the number of events, in an intact trail; what waited is linked before."""
    drain_outbox(database)
    with database.reading() as connection:
        return newest_seq(connection)


def count_events(clearance: Clearance, filters: Mapping[str, object]) -> int:
    """How many events match."""
    return queries.count_events(clearance.connection, queries.matching(clearance.connection, filters))


def describe(event: EventRow) -> dict[str, object]:
    """An event for the API; an erased value is ``{"erased": true}``."""
    shown = {
        "seq": event.seq,
        "at": clock.rfc3339(event.at),
        "actor": {"type": event.actor_type, "id": event.actor_id, "name": event.actor_name},
        "session_id": event.session_id,
        "action": event.action,
        "target": {"type": event.target_type, "id": event.target_id, "name": event.target_name},
        "outcome": event.outcome,
        "reason": event.reason,
        "before": orjson.loads(event.before) if event.before else None,
        "after": orjson.loads(event.after) if event.after else None,
        "ip": event.ip,
        "request_id": event.request_id,
        "domain": event.domain or ROOT,
        "prev_hash": event.prev_hash,
        "hash": event.hash,
    }
    return disclose(shown, event.personal, event.personal_values)


def _cells(event: EventRow) -> dict[str, object]:
    """An event as cells: ``before`` and ``after`` as canonical JSON, and an erased value as JSON."""
    shown = describe(event)
    cells = {**shown, **flattened({part: shown[part] for part in ("actor", "target")})}
    return {
        name: canonical(cell) if isinstance(cell := cells[name], dict) else cell for name in SHEET.columns
    }


SHEET = Sheet(tuple(name for name in EventRow._fields if "personal" not in name), describe, _cells)


def _record_reading(clearance: Clearance, filters: Mapping[str, object]) -> None:
    """Record who read and what was asked for first, once per reader and hour, in a short transaction of its
    own, since the reading one does not write."""
    reader = clearance.actor.id
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    with clearance.work.database.reading() as connection:
        if queries.is_reading_recorded(connection, reader, hour):
            return
    with clearance.work.database.writing() as connection:
        if not queries.is_reading_recorded(connection, reader, hour):  # by a request at the same time
            _record(connection, clearance, "audit.read", filters)


def _record(connection: Connection, clearance: Clearance, action: str, filters: Mapping[str, object]) -> None:
    facts: dict[str, object] = {
        "action!" if name == "action_not" else name: clock.rfc3339(value)
        if isinstance(value, datetime)
        else value
        for name, value in filters.items()
    }
    for name in facts.keys() & {"actor", "target"}:
        secret = clearance.settings.secret_key
        facts[name] = audit_reference(connection, secret, str(facts[name]))
    target = Target("trail", home=clearance.only_domain)
    record(connection, clearance.actor, action, target, after=facts or None)


def _watched(events: Iterator[EventRow], progress: Progress | None) -> Iterator[EventRow]:
    for event in events:
        if progress is not None:
            progress(event.seq)
        yield event
