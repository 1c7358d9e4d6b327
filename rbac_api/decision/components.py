"""Finds the parts of a relation whose members all reach each other: in a hierarchy without cycles, each role
alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def components_of(juniors: Mapping[str, frozenset[str]]) -> Iterator[list[str]]:
    """Yield the strongly connected components, juniors before seniors (Tarjan 1972), with an explicit stack,
    because chains may be deep."""
    walk = _Walk(juniors)
    for root in juniors:
        if root not in walk.index:
            yield from walk.from_root(root)


class _Walk:
    def __init__(self, juniors: Mapping[str, frozenset[str]]) -> None:
        self.juniors = juniors
        self.index: dict[str, int] = {}
        self.low: dict[str, int] = {}
        self.open: dict[str, None] = {}  # an ordered set: the nodes not yet in a component

    def from_root(self, root: str) -> Iterator[list[str]]:
        path = [(self._enter(root), iter(self.juniors[root]))]
        while path:
            node, below = path[-1]
            child = next(below, None)
            if child is None:
                path.pop()
                yield from self._leave(node, path[-1][0] if path else None)
            elif child not in self.index:
                path.append((self._enter(child), iter(self.juniors[child])))
            elif child in self.open:
                self.low[node] = min(self.low[node], self.index[child])

    def _enter(self, node: str) -> str:
        self.index[node] = self.low[node] = len(self.index)
        self.open[node] = None
        return node

    def _leave(self, node: str, parent: str | None) -> Iterator[list[str]]:
        if parent is not None:
            self.low[parent] = min(self.low[parent], self.low[node])
        if self.low[node] == self.index[node]:
            component: list[str] = []
            while not component or component[-1] != node:
                component.append(self.open.popitem()[0])
            yield component
