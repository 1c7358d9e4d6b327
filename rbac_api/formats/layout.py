"""Gives the nodes of a diagram their places, in layers: an arrow leads to a later layer.

A library finds the layers and the order within them that crosses few arrows (the method of Sugiyama, Tagawa
and Toda).  It ends the process on a graph that has a cycle, so arrows that close one are left out here first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from fast_sugiyama import from_edges

Edge = tuple[str, str]
GRID = 4  # how many nodes without an arrow stand in a row


@dataclass(frozen=True, slots=True)
class Layout:
    """``places`` has the layer and the row of each node, ``bends`` those that an arrow passes between its
    ends; rows may be fractions."""

    places: Mapping[str, tuple[int, float]]
    bends: Mapping[Edge, Sequence[tuple[int, float]]]


def lay_out(nodes: Sequence[str], edges: Iterable[Edge]) -> Layout:
    """Return the places of all nodes; parts that no arrow connects stand one after the other."""
    drawn = _without_cycles(dict.fromkeys(edge for edge in edges if edge[0] != edge[1]))
    places: dict[str, tuple[int, float]] = {}
    bends: dict[Edge, list[tuple[int, float]]] = {}
    row = 0.0
    for part in _parts(drawn):
        [(positions, _, _, pairs)] = from_edges(part, vertex_spacing=1.0, dummy_vertices=True)
        layers = sorted({y for _, (_, y) in positions}, reverse=True)
        first = min(x for _, (x, _) in positions)
        found = {name: (layers.index(y), x - first + row) for name, (x, y) in positions}
        places |= {name: place for name, place in found.items() if isinstance(name, str)}
        bends |= _bends(pairs or (), found)
        row = max(place[1] for place in found.values()) + 1
    for number, name in enumerate(name for name in nodes if name not in places):
        places[name] = (number % GRID, row + number // GRID)
    return Layout(places, bends)


def _parts(edges: Iterable[Edge]) -> Iterable[list[Edge]]:
    """Return the edges of each connected part.

    Of several parts at once the library numbers the bends so that they are mistaken for nodes.
    """
    parts: dict[str, list[str]] = {}  # of each node, the nodes of its part: one list for all of them
    for source, target in (edges := list(edges)):
        one, other = parts.setdefault(source, [source]), parts.setdefault(target, [target])
        if one is not other:
            one += other
            parts.update(dict.fromkeys(other, one))
    found: dict[int, list[Edge]] = defaultdict(list)
    for edge in edges:
        found[id(parts[edge[0]])].append(edge)
    return found.values()


def _bends(
    pairs: Iterable[tuple[str | int, str | int]], found: Mapping[str | int, tuple[int, float]]
) -> dict[Edge, list[tuple[int, float]]]:
    """Return the places between the ends of each arrow: numbers, each with one successor."""
    following: dict[str | int, str | int] = {}
    begins: dict[str, list[str | int]] = defaultdict(list)
    for source, target in pairs:
        if isinstance(source, str):
            begins[source].append(target)
        else:
            following[source] = target
    bends = {}
    for source, targets in begins.items():
        for target in targets:
            passed, reached = [], target
            while not isinstance(reached, str):
                passed.append(found[reached])
                reached = following[reached]
            bends[source, reached] = passed
    return bends


def _without_cycles(edges: Iterable[Edge]) -> list[Edge]:
    """Return the edges without those that close a cycle; only a database written by hand has any."""
    kept = list(edges)
    while True:
        below: dict[str, set[str]] = defaultdict(set)
        for source, target in kept:
            below[source].add(target)
        try:
            TopologicalSorter(below).prepare()
        except CycleError as fault:
            cycle = fault.args[1]
            kept.remove((cycle[1], cycle[0]))
        else:
            return kept
