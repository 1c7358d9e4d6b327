"""Keeps the Merkle tree (RFC 9162) over the hashes of the events: event number n is leaf n - 1.

Of every 64 nodes of a level one is stored on a higher level, so that a root or a proof reads at most 64 rows
for each of five levels, however long the trail is.  Stored nodes never change, because the trail is only
appended to and never cut: retention does not touch it.  They are added a batch at a time: hashed without a
lock, and written in a short transaction.  ``rbac_verifier.merkle`` has the arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, func, insert, select

from rbac_api.database.engine import Database
from rbac_api.database.tables import trail_events, trail_nodes
from rbac_verifier.encodings import hex_bytes
from rbac_verifier.merkle import leaf_hash, root_hash, subtree_hash

STEP = 6
WIDTH = 1 << STEP
LEVELS = range(STEP, 63, STEP)
_BATCH_SIZE = 256  # nodes: of the lowest stored level they are 16384 events


def extend_tree(
    database: Database, size: int, batches: int, pause: Callable[[], object] | None = None
) -> bool:
    """Store the nodes of the first ``size`` events that are missing, in so many batches at most; return
    whether none is missing any more."""
    for level in LEVELS:
        while size >> level:
            missing, first, hashes = _next_batch(database, level, size)
            if missing <= 0:
                break
            if not batches:
                return False
            _store(database, level, first, hashes)
            batches -= 1
            if pause is not None:
                pause()
    return True


class StoredTree:
    """Reads nodes of the tree, whole blocks of 64 at a time; for one transaction that reads."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._blocks: dict[tuple[int, int], list[bytes]] = {}

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree."""
        stored = level - level % STEP
        width = 1 << (level - stored)
        block, place = divmod(index * width, WIDTH)
        return subtree_hash(self._block(stored, block)[place : place + width])

    def root(self, size: int) -> bytes:
        """Return the root of the first ``size`` events."""
        return root_hash(size, self.node)

    def _block(self, level: int, block: int) -> list[bytes]:
        key = (level, block)
        if key not in self._blocks:
            self._blocks[key] = _read(self._connection, level, block * WIDTH, WIDTH)
        return self._blocks[key]


def _next_batch(database: Database, level: int, size: int) -> tuple[int, int, list[bytes]]:
    """Return how many nodes of a level are missing, the position of the first, and the hashes of a batch."""
    with database.reading() as connection:
        first = _count(connection, level)
        missing = (size >> level) - first
        some = max(min(missing, _BATCH_SIZE), 0)
        below = _read(connection, level - STEP, first * WIDTH, some * WIDTH) if some else []
    places = range(0, len(below) // WIDTH * WIDTH, WIDTH)
    return missing, first, [subtree_hash(below[place : place + WIDTH]) for place in places]


def _store(database: Database, level: int, first: int, hashes: list[bytes]) -> None:
    """Write a batch, unless another process did meanwhile."""
    rows = [
        {"level": level, "position": first + place, "node": digest} for place, digest in enumerate(hashes)
    ]
    with database.writing() as connection:
        if _count(connection, level) == first:
            connection.execute(insert(trail_nodes), rows)


def _count(connection: Connection, level: int) -> int:
    """Return how many nodes of a level are stored; none between them is missing."""
    last = select(func.max(trail_nodes.c.position)).where(trail_nodes.c.level == level)
    position: int | None = connection.execute(last).scalar()
    return 0 if position is None else position + 1


def _read(connection: Connection, level: int, first: int, most: int) -> list[bytes]:
    """Return the hashes of nodes of a level in their order; those of level 0 are of the events."""
    seq, position = trail_events.c.seq, trail_nodes.c.position
    found: Any
    if level:
        found = select(trail_nodes.c.node).where(
            trail_nodes.c.level == level, position >= first, position < first + most
        )
        return [bytes(digest) for digest in connection.execute(found.order_by(position)).scalars()]
    found = select(trail_events.c.hash).where(seq > first, seq <= first + most).order_by(seq)
    return [leaf_hash(hex_bytes(digest)) for digest in connection.execute(found).scalars()]
