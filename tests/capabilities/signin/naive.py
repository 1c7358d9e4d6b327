"""The vulnerable twin: a rotation as it is often written, to show that the races in these tests are real.

It reads, decides, and then writes without a condition (CVE-2026-1035), and it puts the session's row back as it was read
(keycloak#51312).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from sqlalchemy import insert, update

from rbac_api import clock
from rbac_api.capabilities.sessions import service as sessions
from rbac_api.capabilities.sessions.errors import TokenReused
from rbac_api.capabilities.sessions.service import RefreshTokenRecord
from rbac_api.capabilities.signin import service as signin
from rbac_api.database import tables
from rbac_api.database.types import new_id
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.guard.errors import TokenRevoked


def naive_refresh(clearance: Clearance, text: str, meanwhile: Callable[[], object]) -> dict[str, Any]:
    """Stands in for ``signin.service.refresh``; something happens between reading and writing."""
    token = clearance.runtime.tokens.verify_token(text, "refresh")
    with clearance.work.database.reading() as connection:
        found = sessions.find_presented(connection, token.jti, clock.now())
    assert found is not None
    spent, session, account, *_ = found
    if not session.is_live():
        raise TokenRevoked()
    if spent.spent_at is not None:
        raise TokenReused()
    meanwhile()
    successor = RefreshTokenRecord(
        session_id=session.id, user_id=session.user_id, client_id=session.client_id, jti=new_id(), generation=random.getrandbits(30),
        issued_at=clock.now(), expires_at=spent.expires_at, auth_time=session.created_at,
        absolute_expires_at=session.absolute_expires_at,
    )  # fmt: skip
    row = {
        name: getattr(successor, name)
        for name in ("jti", "session_id", "generation", "issued_at", "expires_at")
    }
    as_read = {column.name: getattr(session, column.name) for column in tables.sessions.columns}
    with clearance.work.database.writing() as connection:
        connection.execute(
            update(tables.refresh_tokens)
            .where(tables.refresh_tokens.c.jti == spent.jti)
            .values(spent_at=clock.now(), replaced_by=successor.jti)
        )
        connection.execute(insert(tables.refresh_tokens).values(row))
        connection.execute(update(tables.sessions).where(tables.sessions.c.id == session.id).values(as_read))
        clearance.snapshot.catch_up(connection)
        return signin.issue_tokens(clearance, connection, successor, account)
