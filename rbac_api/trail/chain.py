"""The hash chain: each event carries the SHA-256 of its own canonical form, which includes the hash of the event before it.

    hash(n) = SHA-256( canonical JSON of all fields of event n but `hash`, with prev_hash = hash(n - 1) );  hash(0) = 64 zeros

Changing a byte breaks the hash of that row; deleting or swapping rows breaks the numbering or the link.  Cutting the *tail* leaves a
valid shorter chain: to notice that, somebody outside must have noted a ``seq`` and ``hash`` (``flask rbac audit verify`` prints the
present ones, and takes noted ones with ``--expect``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rbac_api import clock

GENESIS = "0" * 64
FIELDS = (
    "seq", "at", "actor_type", "actor_id", "actor_name", "session_id", "action", "target_type", "target_id", "target_name",
    "outcome", "reason", "before", "after", "ip", "request_id", "prev_hash",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What verification found: how many rows were read, the last good ``seq`` and ``hash``, and the first broken row, if any."""

    checked: int
    seq: int
    hash: str
    broken_seq: int | None = None
    problem: str | None = None


def canonical(values: Any) -> str:
    """JSON with sorted keys, no spaces and no escapes beyond the necessary: one text for one value."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def event_hash(event: Mapping[str, Any]) -> str:
    """The event's own hash, from its fields; ``at`` may be a datetime or RFC 3339 text."""
    values = {name: event[name] for name in FIELDS}
    if isinstance(values["at"], datetime):
        values["at"] = clock.rfc3339(values["at"])
    return hashlib.sha256(canonical(values).encode()).hexdigest()


def verify(events: Iterable[Mapping[str, Any]], expected: Mapping[int, str] | None = None) -> Verdict:
    """Walk the events in order of ``seq`` and stop at the first that breaks the chain or differs from an ``expected`` hash."""
    noted = dict(expected or {})
    checked, seq, link = 0, 0, GENESIS
    for event in events:
        problem = _problem(event, seq, link, noted.pop(event["seq"], None))
        if problem:
            return Verdict(checked, seq, link, event["seq"], problem)
        checked, seq, link = checked + 1, event["seq"], event["hash"]
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


def _problem(event: Mapping[str, Any], seq: int, link: str, noted: str | None) -> str | None:
    if event["seq"] != seq + 1:
        return f"event {seq + 1} is missing: {event['seq']} follows {seq}"
    if event["prev_hash"] != link:
        return f"event {event['seq']} does not link to event {seq}"
    if event_hash(event) != event["hash"]:
        return f"event {event['seq']} was altered: its hash does not fit its fields"
    if noted is not None and noted != event["hash"]:
        return f"event {event['seq']} is not the one that was noted outside: the chain was rewritten"
    return None
