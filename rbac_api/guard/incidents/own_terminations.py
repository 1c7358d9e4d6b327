"""Recognizes users who meet their own sign-out, which is no incident: a token used after the user signed out
elsewhere.

Signing out in one tab while another polls, a double click on "sign out", a new password, ending a session
from another device, dropping an active role: after each of these the party that always had the token uses one
that claims too much.

The same party has the user agent that signed in, and an address at which the session was seen; of an IPv6
address its network counts.  The same token from elsewhere is an incident, and so is any token after another
user ended the session.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from sqlalchemy import Connection

from rbac_api.database.engine import Database
from rbac_api.guard.incidents import queries
from rbac_api.trail.recorder import Actor

MAX_REMEMBERED = 10_000
# A token (or the session of a dropped role), and the address and user agent that used it.
Seen = tuple[str, str | None, str | None]
ClientOf = Callable[[str | None], str | None]  # the client that an address counts as


class OwnTerminations:
    """Recognizes the same party; one that was found is not looked up again.  Bounded: the oldest is forgotten
    first."""

    def __init__(self, database: Database, client_of: ClientOf) -> None:
        self._database, self._client_of = database, client_of
        self._known: dict[Seen, None] = {}
        self._knowing = threading.Lock()

    def ended(self, session_id: str, jti: str, actor: Actor) -> bool:
        """Return whether this is the same party, with a token that its user ended, or whose session its user
        ended."""
        return self._is_own(jti, session_id, actor)

    def dropped(self, session_id: str, actor: Actor) -> bool:
        """Return whether this is the party of the session, where the user gave up what the token still
        claims."""
        return self._is_own(None, session_id, actor)

    def _is_own(self, jti: str | None, session_id: str, actor: Actor) -> bool:
        seen: Seen = (jti or session_id, actor.ip, actor.safe_user_agent)
        if seen in self._known:
            return True
        with self._database.reading() as connection:
            origin = queries.find_origin(connection, session_id)
            if origin is None or (jti is not None and not _was_left(connection, origin, jti)):
                return False
            if not self._is_same_party(connection, origin, actor):
                return False
        with self._knowing:
            while len(self._known) >= MAX_REMEMBERED:
                self._known.pop(next(iter(self._known)))
            self._known[seen] = None
        return True

    def _is_same_party(self, connection: Connection, origin: queries.Origin, actor: Actor) -> bool:
        if actor.safe_user_agent != origin.user_agent:
            return False
        addresses = {origin.ip, *queries.list_addresses(connection, origin.id)}
        return self._client_of(actor.ip) in {self._client_of(address) for address in addresses}


def _was_left(connection: Connection, origin: queries.Origin, jti: str) -> bool:
    """Return whether the user ended the session, or revoked the token alone; the oldest of too many sessions
    made room for the user's own."""
    if origin.ended_at is None:
        return origin.user_id in queries.list_revokers(connection, jti)
    return bool(origin.ended_by == origin.user_id or origin.end_reason == "session-limit")
