"""The tree of RFC 9162: the published vectors of RFC 6962, an outside implementation, and everything that is no proof."""

from __future__ import annotations

import random
from functools import cache

import pytest
from pymerkle import InmemoryTree

from rbac_verifier.merkle import (
    EMPTY,
    GrowingTree,
    consistency_path,
    inclusion_path,
    is_consistent,
    is_included,
    leaf_hash,
    root_hash,
    subtree_hash,
)

# The vectors of the implementations of Certificate Transparency (RFC 6962, which hashes as RFC 9162 does).
INPUTS = tuple(
    map(bytes.fromhex, ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"))
)  # fmt: skip
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
A, B, C = (
    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
)
D, E = (
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
)
INCLUSIONS = {
    (0, 1): [],
    (0, 8): [A, B, C],
    (5, 8): [D, E, ROOTS[3]],
    (2, 3): [ROOTS[1]],
    (1, 5): [ROOTS[0], B, D],
}
CONSISTENCIES = {
    (1, 1): [], (1, 8): [A, B, C], (2, 5): [B, D],
    (6, 8): ["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a", E, ROOTS[3]],
}  # fmt: skip


def entry(index: int) -> bytes:
    return INPUTS[index] if index < len(INPUTS) else str(index).encode()


@cache
def node(level: int, index: int) -> bytes:
    """A tree that stores nothing."""
    return subtree_hash([leaf_hash(entry(place)) for place in range(index << level, (index + 1) << level)])


@cache
def root(size: int) -> bytes:
    return root_hash(size, node)


@cache
def outside() -> InmemoryTree:
    """An implementation of others."""
    found = InmemoryTree(algorithm="sha256")
    for index in range(300):
        found.append_entry(entry(index))
    return found


def test_the_published_roots_are_found() -> None:
    assert [root(size).hex() for size in range(1, 9)] == list(ROOTS)
    assert (
        root(0) == EMPTY == bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    )


@pytest.mark.parametrize("case", INCLUSIONS)
def test_the_published_inclusion_proofs_are_found(case: tuple[int, int]) -> None:
    assert [step.hex() for step in inclusion_path(*case, node)] == INCLUSIONS[case]


@pytest.mark.parametrize("case", CONSISTENCIES)
def test_the_published_consistency_proofs_are_found(case: tuple[int, int]) -> None:
    assert [step.hex() for step in consistency_path(*case, node)] == CONSISTENCIES[case]


def test_every_proof_of_a_small_tree_verifies_and_fits_no_other_place() -> None:
    for size in range(1, 34):
        for index in range(size):
            path = inclusion_path(index, size, node)
            fitting = [
                i for i in range(size) if is_included(i, size, leaf_hash(entry(index)), path, root(size))
            ]
            assert fitting == [index], (index, size)
        for first in range(1, size + 1):
            path = consistency_path(first, size, node)
            assert is_consistent(first, size, (root(first), root(size)), path), (first, size)
            assert not is_consistent(first, size, (root(first - 1), root(size)), path)
            assert not is_consistent(first, size, (root(first), root(size - 1)), path)


def test_an_altered_proof_never_verifies() -> None:
    dice = random.Random(1)
    for _ in range(400):
        size = dice.randrange(2, 300)
        index, first = dice.randrange(size), dice.randrange(1, size)
        included, consistent = inclusion_path(index, size, node), consistency_path(first, size, node)
        roots = root(first), root(size)
        leaf = leaf_hash(entry(index))
        for changed in alterations(included, dice):
            assert not is_included(index, size, leaf, changed, root(size)), (index, size)
        for changed in alterations(consistent, dice):
            assert not is_consistent(first, size, roots, changed), (first, size)
        assert not is_included(index, size, leaf_hash(b"other"), included, root(size))


def alterations(path: list[bytes], dice: random.Random) -> list[list[bytes]]:
    at = dice.randrange(len(path)) if path else 0
    found = [[*path, dice.randbytes(32)], [dice.randbytes(32), *path]]
    if path:
        found += [path[:at] + path[at + 1 :], [*path[:at], dice.randbytes(32), *path[at + 1 :]]]
    return found


@pytest.mark.parametrize(("index", "size"), [(-1, 3), (3, 3), (0, 0), (5, 3)])
def test_a_leaf_outside_the_tree_is_not_included(index: int, size: int) -> None:
    assert not is_included(index, size, leaf_hash(b""), [], root(1))


@pytest.mark.parametrize(("first", "second"), [(0, 3), (4, 3), (-1, 3), (2, 3)])
def test_sizes_that_are_none_are_not_consistent(first: int, second: int) -> None:
    assert not is_consistent(first, second, (root(max(first, 0)), root(second)), [])


def test_equal_trees_are_consistent_and_need_no_path() -> None:
    assert is_consistent(5, 5, (root(5), root(5)), [])
    assert not is_consistent(5, 5, (root(5), root(6)), [])
    assert not is_consistent(5, 5, (root(5), root(5)), [root(1)])


def test_an_outside_implementation_has_the_same_roots_and_inclusion_proofs() -> None:
    """Its consistency proofs have a form of their own; for those there are the published ones."""
    tree, dice = outside(), random.Random(2)
    for size in (1, 2, 3, 63, 64, 65, 127, 128, 200, 255, 256, 257, 300):
        assert tree.get_root(size) == root(size)
        for index in {0, size - 1, dice.randrange(size)}:
            assert tree.prove_inclusion(index + 1, size).path[1:] == inclusion_path(index, size, node)


def test_a_growing_tree_has_the_root_of_each_size() -> None:
    growing = GrowingTree()
    for size in range(130):
        assert (growing.size, growing.root()) == (size, root(size))
        growing.add(entry(size))
