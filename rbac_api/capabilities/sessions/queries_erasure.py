"""SQL for erasing what sessions say about a user."""

from __future__ import annotations

from sqlalchemy import Connection, select, update

from rbac_api.database.tables import refresh_tokens, sessions


def erase_addresses(connection: Connection, user_id: str) -> None:
    """Empty the addresses and user agents of a user's sessions."""
    theirs = sessions.c.user_id == user_id
    of_theirs = refresh_tokens.c.session_id.in_(select(sessions.c.id).where(theirs))
    connection.execute(update(refresh_tokens).where(of_theirs).values(ip=None))
    connection.execute(update(sessions).where(theirs).values(ip=None, user_agent=None))
