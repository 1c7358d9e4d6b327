"""The contract of domains in a few lines, written from its text alone: no line of the service is used here.

"Assignments have a domain (``root`` by default) and count there and below.  At domain *d* the assignments at *d* and its ancestors count;
an unknown domain is refused like a missing permission."
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

LABELS = ("acme", "acme2", "ac", "a", "eu", "eu-1", "shop", "globex", "x" * 63)
DEPTH = 8


@dataclass
class Tree:
    """Domains as nodes with a parent each; nothing here knows that names have dots, but ``add``."""

    parent: dict[str, str | None] = field(default_factory=lambda: {"root": None})

    def add(self, above: str, label: str) -> str:
        name = label if above == "root" else f"{above}.{label}"
        self.parent[name] = above
        return name

    def path(self, domain: str) -> list[str]:
        """The domain, then its parent, and so on up to the root; nothing for an unknown one."""
        found: list[str] = []
        at: str | None = domain if domain in self.parent else None
        while at is not None:
            found.append(at)
            at = self.parent[at]
        return found


@dataclass
class Model:
    """Who was assigned which role where, and which role holds what."""

    tree: Tree = field(default_factory=Tree)
    permits: dict[str, set[str]] = field(default_factory=dict)
    given: set[tuple[str, str, str]] = field(default_factory=set)  # user, role, domain

    def may(self, user: str, permission: str, domain: str) -> bool:
        """Whether one of the assignments on the path from the domain to the root permits it."""
        path = self.tree.path(domain)
        return any(
            who == user and where in path and permission in self.permits.get(role, set())
            for who, role, where in self.given
        )

    def where(self, user: str, permission: str) -> set[str]:
        """The domains where the user may do it."""
        return {domain for domain in self.tree.parent if self.may(user, permission, domain)}


def grown(random: Random, size: int) -> Tree:
    """A random tree with that many domains besides the root."""
    tree = Tree()
    while len(tree.parent) <= size:
        above = random.choice(sorted(tree.parent))
        if len(tree.path(above)) <= DEPTH and len(above) < 180:
            tree.add(above, random.choice(LABELS))
    return tree


def asked_about(random: Random, tree: Tree) -> str:
    """A domain to ask about: mostly one that exists, sometimes one that only looks like it."""
    known = random.choice(sorted(tree.parent))
    if random.random() < 0.8:
        return known
    return random.choice(
        (f"{known}2", known[:-1], f"{known}.none", known.upper(), f".{known}", f"{known}.", "none", "")
    )
