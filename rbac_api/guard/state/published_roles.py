"""Writes what each role permits as JSON, for services that verify tokens offline."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import orjson

from rbac_api.decision.evaluate import published_permissions
from rbac_api.decision.hierarchy import RoleGraph

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RolesText:
    """``{name: [permissions]}`` in canonical JSON (sorted, without spaces), its SHA-256 in base64url, and the
    revision."""

    json: bytes
    digest: str
    revision: int


@dataclass(frozen=True, slots=True)
class _Written:
    graph: RoleGraph
    text: RolesText
    members: dict[str, tuple[frozenset[str], bytes]] = field(repr=False)


class PublishedRoles:
    """Remembers the text of one graph, and the last answer made of it.  After a change only the
    roles that it touches are written again."""

    def __init__(self) -> None:
        self._written: _Written | None = None
        self._answer: tuple[str, Any] = ("", None)

    def text_of(self, graph: RoleGraph) -> RolesText:
        """Return the text for a graph."""
        known = self._written
        if known is None or known.graph is not graph:
            known = self._written = _write(graph, known.members if known else {})
        return known.text

    def remembered(self, tag: str, make: Callable[[], T]) -> T:
        """Return what was made for this tag; makes it unless it was the last one."""
        known = self._answer
        if known[0] != tag:
            known = self._answer = tag, make()
        answer: T = known[1]
        return answer


def _write(graph: RoleGraph, before: dict[str, tuple[frozenset[str], bytes]]) -> _Written:
    members = {
        name: _member(name, permissions, before)
        for name, permissions in sorted(published_permissions(graph).items())
    }
    text = b"{" + b",".join(member for _, member in members.values()) + b"}"
    digest = base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()
    return _Written(graph, RolesText(text, digest, graph.revision), members)


def _member(
    name: str, permissions: frozenset[str], before: dict[str, tuple[frozenset[str], bytes]]
) -> tuple[frozenset[str], bytes]:
    known = before.get(name)
    if known is not None and known[0] is permissions:  # a change of other roles shares it
        return known
    return permissions, orjson.dumps(name) + b":" + orjson.dumps(sorted(permissions))
