"""Verifies the chain of events: each carries the SHA-256 of its own canonical form, which includes the hash
of the event before it.

    hash(n) = SHA-256(canonical JSON of all fields of event n but `hash`, with prev_hash = hash(n - 1))
    hash(0) = 64 zeros

Of a personal value the hash covers the salted digest (``personal``), so the chain stays intact when the value
is erased. A value that is there has to fit its digest.

Changing a byte breaks the hash of that row; deleting or swapping rows breaks the numbering or the link.
Cutting the *tail* leaves a valid shorter chain: to detect that, an outside party must have noted a ``seq``
and ``hash`` (``rbac-api audit verify`` prints the current ones, and takes noted ones with ``--expect``).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from rbac_api.database.queries.trail import EventRow
from rbac_api.trail.canonical_form import canonical
from rbac_api.trail.feed import GENESIS
from rbac_api.trail.personal import is_whole, withdraw
from rbac_api.trail.recorder import FIELDS, event_hash

_ALTERED = "altered"  # in place of digests: no hash fits it
# Fields that are members of the event in an export, not of an object in it.
_PLAIN = (
    frozenset(FIELDS)
    - {"personal"}
    - {f"{part}_{name}" for part in ("actor", "target") for name in ("type", "id", "name")}
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a verification: how many rows were read, the last good ``seq`` and ``hash``, and the
    first broken row, if any."""

    checked: int
    seq: int
    hash: str
    broken_seq: int | None = None
    problem: str | None = None


class Unreadable(ValueError):
    """A line of an export is not an event as this service exports it."""


def read_export(lines: Iterable[bytes]) -> Iterator[EventRow]:
    """Yield the events of an NDJSON export in the form in which they were hashed.

    ``before`` and ``after`` were hashed as canonical text, and are given as JSON in the export.  A CSV export
    cannot be read back: what a spreadsheet would run is defused in it.  Raises ``Unreadable`` naming the
    line.
    """
    for number, line in enumerate(lines, 1):
        try:
            yield _flat(json.loads(line, object_pairs_hook=_unique))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise Unreadable(
                f"line {number} is not an event as the NDJSON export of the trail has it"
            ) from None


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _flat(shown: dict[str, Any]) -> EventRow:
    personal = _digests(shown)
    event = {name: shown.pop(name) for name in _PLAIN}
    for part, members in (("actor", ("type", "id", "name")), ("target", ("type", "id", "name"))):
        whole = shown.pop(part)
        event |= {f"{part}_{name}": whole.pop(name) for name in members}
        shown |= whole
    event |= {name: None if event[name] is None else canonical(event[name]) for name in ("before", "after")}
    event |= {"hash": shown.pop("hash"), "personal": personal, "personal_values": None}
    if shown or type(event["seq"]) is not int:
        raise ValueError("a field that is no field of an event")
    return EventRow(**event)


def _digests(shown: dict[str, Any]) -> str | None:
    try:
        return withdraw(shown)
    except ValueError:
        return _ALTERED


def verify(events: Iterable[EventRow], expected: Mapping[int, str] | None = None) -> Verdict:
    """Walk the events in order of ``seq`` and stop at the first that breaks the chain or differs from an
    ``expected`` hash."""
    return _walk(events, dict(expected or {}), 0, GENESIS)


def verify_export(lines: Iterable[bytes], expected: Mapping[int, str] | None = None) -> tuple[int, Verdict]:
    """Walk the events of an NDJSON export; return the first event's number too.

    An export may begin later than the trail: the link of its first event to the one before is then taken as
    it is, unless that one was noted in ``expected``.  Raises ``Unreadable`` for a line that is not an event.
    """
    events, noted = read_export(lines), dict(expected or {})
    first = next(events, None)
    if first is None:
        return 0, _walk((), noted, 0, GENESIS)
    seq = max(first.seq - 1, 0)
    link = GENESIS if seq == 0 else noted.pop(seq, first.prev_hash)
    return first.seq, _walk(chain((first,), events), noted, seq, link)


def _walk(events: Iterable[EventRow], noted: dict[int, str], seq: int, link: str) -> Verdict:
    checked = 0
    for event in events:
        problem = _problem(event, seq, link, noted.pop(event.seq, None))
        if problem:
            return Verdict(checked, seq, link, event.seq, problem)
        checked, seq, link = checked + 1, event.seq, event.hash
    if noted:
        missing = min(noted)
        return Verdict(
            checked,
            seq,
            link,
            missing,
            f"event {missing} was noted outside but is not there: the tail was cut after {seq}",
        )
    return Verdict(checked, seq, link)


def _problem(event: EventRow, seq: int, link: str, noted: str | None) -> str | None:
    if event.seq != seq + 1:
        return f"event {seq + 1} is missing: {event.seq} follows {seq}"
    if event.prev_hash != link:
        return f"event {event.seq} does not link to event {seq}"
    whole = is_whole(event.personal, event.personal_values)
    if not whole or event_hash(event._asdict()) != event.hash:
        return f"event {event.seq} was altered: its hash does not fit its fields"
    if noted is not None and noted != event.hash:
        return f"event {event.seq} is not the one that was noted outside: the chain was rewritten"
    return None
