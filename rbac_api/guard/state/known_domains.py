"""Remembers which names are those of domains: an answer costs the same however many there are."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from sqlalchemy import Connection

from rbac_api.database.engine import Database
from rbac_api.database.queries import domains
from rbac_api.decision.model import ROOT
from rbac_api.decision.naming import DOMAIN

MAX_REMEMBERED = 50_000


class KnownDomains:
    """The names that were asked about so far, until something happens to their domain."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, bool] = {}
        self._keeping = threading.Lock()
        self._forgotten = 0  # how often: what is read is kept only if this did not change

    def exists(self, name: str, connection: Connection | None = None) -> bool:
        """Return whether there is a domain of this name."""
        known = self._known.get(name) if connection is None else None
        if known is not None:
            return known
        return name == ROOT or name in self.among((name,), connection)

    def among(self, names: Iterable[str], connection: Connection | None = None) -> frozenset[str]:
        """Return those of these names that are domains.  What a connection reads is not remembered: it may
        see uncommitted changes."""
        before, wanted = self._forgotten, {name for name in names if DOMAIN.problem(name) is None}
        if connection is not None:
            return frozenset(domains.list_known(connection, wanted))
        found = {name: exists for name in wanted if (exists := self._known.get(name)) is not None}
        if unread := wanted - found.keys():
            with self._database.reading() as reader:
                known = domains.list_known(reader, unread)
            read = {name: name in known for name in unread}
            self._keep(before, read)
            found.update(read)
        return frozenset(name for name, exists in found.items() if exists)

    def forget(self, name: str | None = None) -> None:
        """Forget a name, or all of them."""
        with self._keeping:
            self._forgotten += 1
            if name is None:
                self._known = {}
            else:
                self._known.pop(name, None)

    def _keep(self, before: int, read: dict[str, bool]) -> None:
        with self._keeping:
            if self._forgotten == before:
                for name, exists in read.items():
                    if len(self._known) >= MAX_REMEMBERED:
                        self._known.pop(next(iter(self._known)))
                    self._known[name] = exists
