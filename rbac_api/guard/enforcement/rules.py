"""Defines what a route requires, and whether a token and its user meet it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.decision.evaluate import active_roles, needs_second_factor
from rbac_api.decision.model import Decision, Reason
from rbac_api.guard.enforcement.runtime import Runtime
from rbac_api.guard.errors import AccessDenied, PasswordChangeRequired, SigninTooOld, TokenRevoked
from rbac_api.guard.state.subjects import Person, SessionState
from rbac_api.guard.tokens.token import Token
from rbac_api.settings import Settings


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route requires."""

    permission: str | None = None
    role: str | None = None
    recent: bool = False  # requires a recent sign-in
    temporary_password: bool = False  # allowed also for a user who must change the password first
    checks_query: bool = False
    checks_body: bool = False
    repeatable: bool = False  # honours ``Idempotency-Key``
    reads: bool = False  # changes nothing, whatever its method


def session_and_user(
    runtime: Runtime, token: Token, connection: Connection | None = None
) -> tuple[SessionState, Person]:
    """Return session and user of a verified token; ``TokenRevoked`` if it is not valid at this moment."""
    session = runtime.snapshot.session(token.session_id, connection)
    if session is None or session.ended or session.user_id != token.subject:
        raise TokenRevoked()
    if token.jti in runtime.snapshot.denied(connection):
        raise TokenRevoked()
    person = runtime.snapshot.person(
        token.subject, connection, second_factor=session.second_factor, roles=session.roles
    )
    if person is None or person.subject.status != "active":
        raise TokenRevoked()
    if session.issued is not None and not runtime.issuers.covers(person, session.issued, connection):
        raise TokenRevoked()
    return session, person


def judge(person: Person, rule: Rule) -> Decision:
    """Return the decision, or raise the refusal that names what was missing."""
    if person.subject.must_change_password and not rule.temporary_password:
        raise PasswordChangeRequired()
    if rule.role is not None:
        if rule.role not in person.roles:
            raise AccessDenied(_role_missing(person, rule.role), required_role=rule.role)
        return Decision(True, (Reason("granted", f"has the role {rule.role}"),), (rule.role,))
    return require_allowed(person, rule.permission)


def require_allowed(person: Person, permission: str | None) -> Decision:
    """Return the decision that allows it: 403 ``access.denied`` otherwise."""
    decision = person.may(permission)
    if not decision.allowed:
        raise AccessDenied(
            f"You need the permission {permission}: {decision.reasons[0].detail}.", required=permission
        )
    return decision


def _role_missing(person: Person, role: str) -> str:
    held = active_roles(person.graph, person.subject, clock.now())
    if any(role in person.graph.closures.get(name, ()) for name in held):
        return f"You need the role {role}: {needs_second_factor(role).detail}."
    return f"You need the role {role}."


def require_recent(auth_time: int, settings: Settings) -> None:
    """Require that the session began recently: 401 otherwise.  A refresh does not make it younger (RFC 9470
    section 3)."""
    if clock.epoch_seconds() - auth_time > settings.recent_signin_seconds:
        raise SigninTooOld(max_age=settings.recent_signin_seconds)
