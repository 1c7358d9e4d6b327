"""Verifies an export of the audit trail, without the service: the chain of hashes, and a checkpoint.

    hash(n) = SHA-256(canonical JSON of all fields of event n but `hash`, with prev_hash = hash(n - 1))
    hash(0) = 64 zeros

Of a personal value the hash covers the salted digest (``personal``), so the chain stays intact when the value
is erased.  A checkpoint has the root of the Merkle tree over the hashes, as 32 bytes each: the event number n
is leaf n - 1.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple

from rbac_verifier.encodings import hex_bytes
from rbac_verifier.merkle import GrowingTree
from rbac_verifier.notes import Checkpoint

GENESIS = "0" * 64  # the hash before the first event
ERASED = {"erased": True}
# What the hash covers.
FIELDS = (
    "seq", "at", "actor_type", "actor_id", "actor_name", "session_id", "action", "target_type", "target_id",
    "target_name", "outcome", "reason", "before", "after", "ip", "request_id", "personal", "domain",
    "prev_hash",
)  # fmt: skip
_PARTS = ("actor", "target")
_MEMBERS = ("type", "id", "name")
# Fields that are members of the event in an export, not of an object in it.
_PLAIN = (
    frozenset(FIELDS) - {"personal", "domain"} - {f"{part}_{name}" for part in _PARTS for name in _MEMBERS}
)
_ALTERED = "altered"  # in place of digests: no hash fits it


class Unreadable(ValueError):
    """A line of an export is not an event as the service exports it."""


class Link(NamedTuple):
    """What of an event the chain is made of; ``fits`` says whether the hash is that of the event's fields."""

    seq: int
    prev_hash: str
    hash: str
    fits: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a verification: how many events were read, the last good ``seq`` and ``hash``, and the
    first broken event, if any."""

    checked: int
    seq: int
    hash: str
    broken_seq: int | None = None
    problem: str | None = None


def canonical(values: object) -> str:
    """Return JSON with sorted keys, no spaces and only necessary escapes: one text for one value."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def event_hash(event: Mapping[str, object]) -> str:
    """Return the event's own hash, from its fields.

    An event without personal values is hashed without that field, as all were before there was one; so is an
    event that concerns ``root`` without its domain.
    """
    values = {name: event[name] for name in FIELDS}
    if values["personal"] is None:
        del values["personal"]
    if values["domain"] in (None, "root"):
        del values["domain"]
    return hashlib.sha256(canonical(values).encode()).hexdigest()


def personal_digest(salt: bytes, value: str) -> str:
    """Return the digest of a personal value."""
    return hashlib.sha256(salt + value.encode()).hexdigest()


def read_export(lines: Iterable[bytes]) -> Iterator[Link]:
    """Yield the events of an NDJSON export.

    ``before`` and ``after`` were hashed as canonical text, and are given as JSON in the export.  A CSV export
    cannot be read back: what a spreadsheet would run is defused in it.  Raises ``Unreadable`` naming the
    line.
    """
    for number, line in enumerate(lines, 1):
        try:
            yield _link(json.loads(line, object_pairs_hook=_unique))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise Unreadable(
                f"line {number} is not an event as the NDJSON export of the trail has it"
            ) from None


def verify_export(
    lines: Iterable[bytes],
    expected: Mapping[int, str] | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[int, Verdict]:
    """Walk the events of an NDJSON export; return the first event's number too.

    An export may begin later than the trail: the link of its first event to the one before is then taken as
    it is, unless that one was noted in ``expected``.  Raises ``Unreadable`` for a line that is not an event.
    """
    events, noted = read_export(lines), dict(expected or {})
    first = next(events, None)
    if first is None:
        return 0, walk((), noted, checkpoint=checkpoint)
    seq = max(first.seq - 1, 0)
    if checkpoint is not None and seq:
        problem = f"event 1 is missing: the file begins with event {first.seq}, and a checkpoint covers all"
        return first.seq, Verdict(0, 0, GENESIS, 1, problem)
    link = GENESIS if seq == 0 else noted.pop(seq, first.prev_hash)
    return first.seq, walk(chain((first,), events), noted, (seq, link), checkpoint)


def walk(
    events: Iterable[Link],
    expected: Mapping[int, str],
    begin: tuple[int, str] = (0, GENESIS),
    checkpoint: Checkpoint | None = None,
) -> Verdict:
    """Walk the events in order, from the one after ``begin``, and stop at the first that breaks the chain or
    differs from an ``expected`` hash; then compare with the checkpoint."""
    noted, tree, events = dict(expected), GrowingTree(), iter(events)
    checked, (seq, link) = 0, begin
    for event in events:
        if problem := _problem(event, seq, link, noted.pop(event.seq, None)):
            return Verdict(checked, seq, link, event.seq, problem + _stands_later(events, event, seq))
        checked, seq, link = checked + 1, event.seq, event.hash
        if checkpoint is not None and tree.size < checkpoint.size:
            tree.add(hex_bytes(event.hash))
    verdict = Verdict(checked, seq, link)
    if noted:
        missing = min(noted)
        problem = f"event {missing} was noted outside but is not there: the tail was cut after {seq}"
        return replace(verdict, broken_seq=missing, problem=problem)
    if checkpoint is not None and tree.size < checkpoint.size:
        problem = f"the checkpoint has {checkpoint.size} events: the tail was cut after {seq}"
        return replace(verdict, broken_seq=seq + 1, problem=problem)
    if checkpoint is not None and tree.root() != checkpoint.root:
        problem = (
            f"the events up to {checkpoint.size} are not those of the checkpoint: the chain was rewritten"
        )
        return replace(verdict, broken_seq=checkpoint.size, problem=problem)
    return verdict


def withdraw(shown: dict[str, Any]) -> str | None:
    """Take the personal values out of an event of an export; return its ``personal`` as it was hashed.

    Raises ``ValueError`` where a value does not fit its digest.
    """
    digests: dict[str, str] = {}
    for place, proof in (shown.pop("personal", None) or {}).items():
        holder, key = find_place(shown, place)
        value, holder[key] = holder[key], None
        digests[place] = proof["digest"]
        fits = value == ERASED
        if "salt" in proof:
            fits = personal_digest(hex_bytes(proof["salt"]), value) == proof["digest"]
        if not fits or proof.keys() - {"digest", "salt"}:
            raise ValueError(f"{place} does not fit its digest")
    return canonical(digests) if digests else None


def find_place(shown: Any, place: str) -> tuple[Any, Any]:
    """Return the object or list that a place, a JSON Pointer, is in, and its key or index there."""
    *way, last = [part.replace("~1", "/").replace("~0", "~") for part in place.split("/")[1:]]
    for part in way:
        shown = shown[int(part) if isinstance(shown, list) else part]
    key = int(last) if isinstance(shown, list) else last
    shown[key]  # a place that is not there is an error
    return shown, key


def _problem(event: Link, seq: int, link: str, noted: str | None) -> str | None:
    if event.seq != seq + 1:
        return f"event {seq + 1} is missing: {event.seq} follows {seq}"
    if event.prev_hash != link:
        return f"event {event.seq} does not link to event {seq}"
    if not event.fits:
        return f"event {event.seq} was altered: its hash does not fit its fields"
    if noted is not None and noted != event.hash:
        return f"event {event.seq} is not the one that was noted outside: the chain was rewritten"
    return None


def _stands_later(rest: Iterator[Link], event: Link, seq: int) -> str:
    """Tell events that were put in another order from a removed one."""
    if event.seq == seq + 1:
        return ""
    try:
        later = any(other.seq == seq + 1 for other in rest)
    except Unreadable:
        later = False
    return f"; event {seq + 1} stands later, so events were re-ordered or repeated" if later else ""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _link(shown: dict[str, Any]) -> Link:
    personal = _digests(shown)
    event = {name: shown.pop(name) for name in _PLAIN}
    for part in _PARTS:
        whole = shown.pop(part)
        event |= {f"{part}_{name}": whole.pop(name) for name in _MEMBERS}
        shown |= whole
    event |= {name: None if event[name] is None else canonical(event[name]) for name in ("before", "after")}
    event |= {"personal": personal, "domain": shown.pop("domain", None)}  # not in older exports
    digest = shown.pop("hash")
    if shown or type(event["seq"]) is not int:
        raise ValueError("a field that is no field of an event")
    return Link(event["seq"], event["prev_hash"], digest, event_hash(event) == digest)


def _digests(shown: dict[str, Any]) -> str | None:
    try:
        return withdraw(shown)
    except ValueError:
        return _ALTERED
