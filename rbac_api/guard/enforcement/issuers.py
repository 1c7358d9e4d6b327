"""Credentials that were handed out by somebody who holds less than their account does by now: they open nothing.

Whoever hands out a client secret, a setup token or a temporary password knows it, and was allowed to because the account held no more
than the issuer.  When the account is given more, the issuer would be given it too.  So each use asks again, on whatever path the account
grew: an account must not reach what its issuer does not reach, with the issuer's present roles or with those at the time of issue, so
that nothing ends because an issuer leaves.
"""

from __future__ import annotations

from sqlalchemy import Connection

from rbac_api.database.engine import Database
from rbac_api.guard.enforcement.queries_issuers import find_issuer, is_covered
from rbac_api.guard.state.cache import Snapshot
from rbac_api.guard.state.subjects import Issued, Person


class Issuers:
    """Answers it for client secrets and the sessions begun with them, which are asked about at every request."""

    def __init__(self, database: Database, snapshot: Snapshot) -> None:
        self._database = database
        self._snapshot = snapshot

    def covers(self, account: Person, issued: Issued, connection: Connection | None = None) -> bool:
        """Whether the issuer still holds what the account does.  Remembered as long as neither of them changes."""
        if connection is not None:  # it may see what is never committed
            return is_covered(connection, account.graph, account.subject.id, issued)
        issuer, known = self._snapshot.person(issued.by, second_factor=True), account.vouched.get(issued)
        if known is not None and known[0] is issuer:
            return known[1]
        with self._database.reading() as reader:
            covered = is_covered(reader, account.graph, account.subject.id, issued)
        account.vouched[issued] = (issuer, covered)
        return covered


def is_outgrown(connection: Connection, snapshot: Snapshot, user_id: str) -> bool:
    """Whether a user was given more than was held by whoever handed out the setup token or temporary password of the account."""
    issued = find_issuer(connection, user_id)
    return issued is not None and not is_covered(connection, snapshot.graph(connection), user_id, issued)
