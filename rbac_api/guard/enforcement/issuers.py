"""Refuses credentials whose issuer holds less than their account does by now.

A user who issues a client secret, a setup token or a temporary password knows it.  Issuing was allowed
because the account held no more than the issuer.  When the account is given more, the issuer would gain it
too.

So each use checks again, whatever gave the account more: an account must not reach what its issuer does not
reach, with the issuer's current roles or with those at the time of issue.  Both count, so that nothing ends
because an issuer leaves.
"""

from __future__ import annotations

from sqlalchemy import Connection

from rbac_api.database.engine import Database
from rbac_api.guard.enforcement.queries_issuers import find_issuer, is_covered
from rbac_api.guard.state.cache import Snapshot
from rbac_api.guard.state.subjects import Issued, Person


class Issuers:
    """Checks client secrets and the sessions begun with them, at every request."""

    def __init__(self, database: Database, snapshot: Snapshot) -> None:
        self._database = database
        self._snapshot = snapshot

    def covers(self, account: Person, issued: Issued, connection: Connection | None = None) -> bool:
        """Return whether the issuer still holds what the account does.  Remembered until one of them
        changes; not where time alone ends what the issuer holds at a domain."""
        if connection is not None:  # it may see uncommitted changes
            return is_covered(connection, account.graph, account.subject.id, issued)
        issuer, known = self._snapshot.person(issued.by, second_factor=True), account.covered_by.get(issued)
        if known is not None and known[0] is issuer:
            return known[1]
        with self._database.reading() as reader:
            covered = is_covered(reader, account.graph, account.subject.id, issued)
        if issuer is None or all(one.ends is None for one in issuer.subject.elsewhere):
            account.covered_by[issued] = (issuer, covered)
        return covered


def is_outgrown(connection: Connection, snapshot: Snapshot, user_id: str) -> bool:
    """Return whether a user was given more than the issuer of the account's setup token or temporary password
    holds."""
    issued = find_issuer(connection, user_id)
    return issued is not None and not is_covered(connection, snapshot.graph(connection), user_id, issued)
