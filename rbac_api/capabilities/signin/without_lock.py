"""Begins a session without the write lock (PostgreSQL). Part of the service, in a file of its own.

One statement, a transaction of its own, notes the sign-in in the user's row and begins the session, if the
row is as it was read after the password was compared. So whatever changes what the user may do, or the
password, comes before or after the sign-in as a whole, and of sign-ins of one user at the same moment one
comes first. The others, and whatever is not usual, are decided under the lock.
"""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.capabilities.attempts.service import name_digest
from rbac_api.capabilities.sessions import service as sessions
from rbac_api.capabilities.sessions.service import AuthMethod, Origin, RefreshTokenRecord
from rbac_api.capabilities.signin import queries
from rbac_api.capabilities.signin.answers import TokensAnswer
from rbac_api.capabilities.signin.attempts import Proved
from rbac_api.capabilities.signin.queries import Current, SigninRow
from rbac_api.capabilities.signin.tokens import issue_tokens
from rbac_api.database.constraints import Clash
from rbac_api.decision.model import ROOT
from rbac_api.guard.enforcement.clearance import Clearance
from rbac_api.settings import Settings
from rbac_api.trail.outbox import parameters
from rbac_api.trail.recorder import Actor, Event, Target, prepared_events, unavailable_if_unwritten


def begin_without_lock(
    clearance: Clearance, proved: Proved, password_hash: str, origin: Origin
) -> TokensAnswer | None:
    """Begin a session at ``root`` with all roles, beside no other in the same browser, after the right
    password.

    None, and nothing changed, where the lock is needed or something changed since the rows were read.
    """
    database = clearance.work.database
    if database.on_sqlite or proved.account.second_factor or proved.row.password_temporary:
        return None
    clearance.snapshot.freshen()
    clearance.snapshot.graph()  # now, since no request may hold one connection and wait for another
    with suppress(Clash), database.autocommit() as connection:
        current = queries.find_current(connection, proved.row.id, clock.now())
        if _fits(clearance.settings, current, proved) and clearance.snapshot.follow(connection, current.end):
            record = sessions.new_session(clearance.settings, proved.row.id, origin)
            tokens = issue_tokens(clearance, connection, record, current.account)
            values = _values(clearance, proved, current, record, origin)
            if _write(connection, {**values, "new_hash": password_hash}):
                database.outbox_filled.set()
                return tokens
    return None


def _fits(settings: Settings, current: Current, proved: Proved) -> bool:
    """Whether the account may still sign in with this password, and no session has to make room."""
    return (
        current.account.status == "active"
        and not current.account.password_temporary
        and current.password_hash == proved.checked
        and current.sessions < settings.max_sessions
    )


def _values(
    clearance: Clearance, proved: Proved, current: Current, record: RefreshTokenRecord, origin: Origin
) -> dict[str, object]:
    account = proved.account
    actor, event = signed_in(clearance, proved.row, record, origin, sessions.PROVED)
    (row,) = prepared_events(actor, (event,))
    return {
        "user_id": proved.row.id, "row_version": current.version, "now": record.issued_at,
        "failed_name": name_digest(clearance.settings, account.name) if account.failures.count else "",
        **sessions.beginning_values(record, origin), **parameters(row),
    }  # fmt: skip


def _write(connection: Connection, values: dict[str, object]) -> bool:
    with unavailable_if_unwritten():
        return queries.sign_in_without_lock(connection, values)


def signing_in(clearance: Clearance, row: SigninRow) -> Actor:
    """The user who signs in, at the address of this request."""
    return Actor(
        "user", row.id, row.username, None, clearance.actor.ip, clearance.actor.request_id, home=row.home
    )


def signed_in(
    clearance: Clearance, row: SigninRow, begun: RefreshTokenRecord, origin: Origin, proof: AuthMethod
) -> tuple[Actor, Event]:
    """The event of a session that began."""
    facts: dict[str, object] = {
        "client_id": origin.client_id,
        "user_agent": origin.user_agent,
        "amr": " ".join(proof.amr),
    }
    facts |= {} if proof.chosen is None else {"roles": sorted(proof.chosen)}
    facts |= {} if proof.domain == ROOT else {"domain": proof.domain}
    actor = signing_in(clearance, row)._replace(session_id=begun.session_id)
    target = Target("session", begun.session_id, row.username, row.home)
    return actor, Event("signin.succeeded", target, after=facts)
