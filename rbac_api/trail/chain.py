"""Verifies the chain of events: each carries the SHA-256 of its own canonical form, which includes the hash
of the event before it.

    hash(n) = SHA-256(canonical JSON of all fields of event n but `hash`, with prev_hash = hash(n - 1))
    hash(0) = 64 zeros

Of a personal value the hash covers the salted digest (``personal``), so the chain stays intact when the value
is erased. A value that is there has to fit its digest.

Changing a byte breaks the hash of that row; deleting or swapping rows breaks the numbering or the link.
Cutting the *tail* leaves a valid shorter chain: to detect that, an outside party must have noted a ``seq``
and ``hash`` (``rbac-api audit verify`` prints the current ones, and takes noted ones with ``--expect``), or
keep a checkpoint.  ``rbac_verifier.events`` does the same with an export, without this service.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from rbac_api.database.queries.trail import EventRow
from rbac_api.trail.personal import is_whole
from rbac_api.trail.recorder import event_hash
from rbac_verifier.events import Link, Unreadable, Verdict, verify_export, walk
from rbac_verifier.notes import Checkpoint

__all__ = ["Unreadable", "Verdict", "verify", "verify_export"]


def verify(
    events: Iterable[EventRow],
    expected: Mapping[int, str] | None = None,
    checkpoint: Checkpoint | None = None,
) -> Verdict:
    """Walk the events in order of ``seq`` and stop at the first that breaks the chain or differs from an
    ``expected`` hash; then compare with the checkpoint."""
    return walk(_links(events), expected or {}, checkpoint=checkpoint)


def _links(events: Iterable[EventRow]) -> Iterator[Link]:
    for event in events:
        whole = is_whole(event.personal, event.personal_values)
        yield Link(
            event.seq, event.prev_hash, event.hash, whole and event_hash(event._asdict()) == event.hash
        )
