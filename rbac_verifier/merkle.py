"""Merkle trees of RFC 9162 (section 2.1): roots, inclusion and consistency proofs, and their verification.

A tree is read through a function ``node(level, index)``: the hash of the complete subtree with ``2 ** level``
leaves that begins at leaf ``index << level``.  So a caller may store as many nodes as it likes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

Node = Callable[[int, int], bytes]
EMPTY = hashlib.sha256().digest()


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf."""
    return hashlib.sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\1" + left + right).digest()


def subtree_hash(hashes: Sequence[bytes]) -> bytes:
    """Return the root over as many nodes as a power of two has."""
    while len(hashes) > 1:
        hashes = [node_hash(*hashes[place : place + 2]) for place in range(0, len(hashes), 2)]
    return hashes[0]


def root_hash(size: int, node: Node) -> bytes:
    """Return the root of the first ``size`` leaves."""
    return _range_hash(0, size, node) if size else EMPTY


def inclusion_path(index: int, size: int, node: Node) -> list[bytes]:
    """Return the proof that a leaf is in the tree of this size (section 2.1.3.1)."""
    low, high, path = 0, size, list[bytes]()
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range_hash(middle, high, node))
            high = middle
        else:
            path.append(_range_hash(low, middle, node))
            low = middle
    return path[::-1]


def consistency_path(first: int, second: int, node: Node) -> list[bytes]:
    """Return the proof that the first leaves of the second tree are those of the first (section 2.1.4.1)."""
    low, high, path, whole = 0, second, list[bytes](), True
    while first < high:
        middle = low + _split(high - low)
        if first <= middle:
            path.append(_range_hash(middle, high, node))
            high = middle
        else:
            path.append(_range_hash(low, middle, node))
            low, whole = middle, False
    return ([] if whole else [_range_hash(low, high, node)]) + path[::-1]


def is_included(index: int, size: int, leaf: bytes, path: Iterable[bytes], root: bytes) -> bool:
    """Return whether the path leads from the hash of a leaf to the root (section 2.1.3.2)."""
    place, last, found = index, size - 1, leaf
    if not 0 <= index < size:
        return False
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            found = node_hash(sibling, found)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and found == root


def is_consistent(first: int, second: int, roots: tuple[bytes, bytes], path: Sequence[bytes]) -> bool:
    """Return whether the path proves that the first tree is the beginning of the second (section 2.1.4.2)."""
    if first == second:
        return not path and roots[0] == roots[1]
    if not 0 < first < second or not path:
        return False
    rest = list(path) if first & (first - 1) else [roots[0], *path]
    place, last = first - 1, second - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    old = new = rest[0]
    for sibling in rest[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and (old, new) == roots


class GrowingTree:
    """The root of leaves that come one after the other; it remembers one node for each level."""

    def __init__(self) -> None:
        self.size = 0
        self._nodes: list[bytes] = []

    def add(self, entry: bytes) -> None:
        """Add a leaf."""
        found, rest = leaf_hash(entry), self.size
        while rest & 1:
            found, rest = node_hash(self._nodes.pop(), found), rest >> 1
        self._nodes.append(found)
        self.size += 1

    def root(self) -> bytes:
        """Return the root of the leaves so far."""
        if not self._nodes:
            return EMPTY
        found = self._nodes[-1]
        for left in self._nodes[-2::-1]:
            found = node_hash(left, found)
        return found


def _split(size: int) -> int:
    """The largest power of two that is smaller."""
    return 1 << ((size - 1).bit_length() - 1)


def _range_hash(low: int, high: int, node: Node) -> bytes:
    size = high - low
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return node(level, low >> level)
    middle = low + _split(size)
    return node_hash(_range_hash(low, middle, node), _range_hash(middle, high, node))
