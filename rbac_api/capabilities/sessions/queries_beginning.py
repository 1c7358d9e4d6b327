"""SQL for beginning a session as part of a statement that notes the sign-in (PostgreSQL), and for letting
none begin."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import CTE, Connection, insert, text

from rbac_api.database.dependent_rows import values_where
from rbac_api.database.tables import refresh_tokens, sessions

_SESSION = [column for column in sessions.c if column.name not in ("ended_at", "ended_by", "end_reason")]
_TOKEN = [column for column in refresh_tokens.c if column.name not in ("spent_at", "replaced_by")]
_SESSION_PREFIX, _TOKEN_PREFIX = "session_", "token_"


def beginning(signed_in: CTE) -> tuple[CTE, CTE]:
    """The parts of a statement that add a session and its first refresh token if there is a row in
    ``signed_in``; their values are those of ``parameters``."""
    session = insert(sessions).from_select(*values_where(signed_in, _SESSION, _SESSION_PREFIX))
    token = insert(refresh_tokens).from_select(*values_where(signed_in, _TOKEN, _TOKEN_PREFIX))
    return session.cte("session_begun"), token.cte("token_added")


def parameters(session: Mapping[str, object], token: Mapping[str, object]) -> dict[str, object]:
    """Return the parameters for the rows of a session and of its refresh token."""
    named = {_SESSION_PREFIX + name: value for name, value in session.items()}
    return named | {_TOKEN_PREFIX + name: value for name, value in token.items()}


def freeze_sessions(connection: Connection) -> None:
    """Let no session begin or be refreshed until this transaction ends, not even without the write lock; what
    is under way comes before.

    To be used before rows of users are written: a refresh under way may wait for one.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(text("LOCK TABLE sessions IN SHARE ROW EXCLUSIVE MODE"))
