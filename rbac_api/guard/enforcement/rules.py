"""Defines what a route requires, and whether a token and its user meet it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from sqlalchemy import Connection

from rbac_api import clock
from rbac_api.decision.domains import is_in
from rbac_api.decision.evaluate import active_roles, needs_second_factor
from rbac_api.decision.model import ROOT, Decision, Reason, SessionRoles
from rbac_api.decision.naming import DOMAIN
from rbac_api.guard.enforcement.runtime import Runtime
from rbac_api.guard.enforcement.unit_of_work import UnitOfWork
from rbac_api.guard.errors import AccessDenied, PasswordChangeRequired, SigninTooOld, TokenRevoked
from rbac_api.guard.state.subjects import Person, SessionState, person_of
from rbac_api.guard.tokens.token import Token
from rbac_api.settings import Settings


class Home(Enum):
    """Where a thing is at home, as the domain of a rule."""

    HOME = "the home of the thing concerned"


HOME: Final = Home.HOME
Domain = str | Callable[..., str | None] | Home
"""The argument of the view that names the domain, or a function of the view's arguments that returns it, or
``HOME``: the service finds the thing and asks there."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route requires."""

    permission: str | None = None
    role: str | None = None
    domain: Domain | None = None  # where; None: at ``root``
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


def domain_of(rule: Rule, arguments: Mapping[str, Any]) -> str:
    """Return where the rule asks, for a request with these arguments of its view; what is no
    name of a domain is empty."""
    if rule.domain is None or rule.domain is HOME:
        return ROOT
    found = rule.domain(**arguments) if callable(rule.domain) else arguments.get(rule.domain)
    return found if isinstance(found, str) and DOMAIN.problem(found) is None else ""


def placed(runtime: Runtime, person: Person, domain: str, connection: Connection | None = None) -> Person:
    """Return the user at a domain; in one that does not exist no user holds anything."""
    if domain == ROOT:
        return person
    if runtime.snapshot.domains.exists(domain, connection):
        return person.at(domain)
    bare = replace(
        person.subject, assignments=(), elsewhere=(), roles=SessionRoles(domain=person.subject.roles.domain)
    )
    return person_of(person.graph, bare, person.kind, person.username, clock.now())


def judge(person: Person, rule: Rule, domain: str = ROOT) -> Decision:
    """Return the decision for a user ``placed`` at the domain, or raise the refusal that names what was
    missing."""
    if person.subject.must_change_password and not rule.temporary_password:
        raise PasswordChangeRequired()
    if rule.role is not None:
        if rule.role not in person.roles:
            detail = _outside(person, domain) or _role_missing(person, rule.role)
            raise AccessDenied(f"You need the role {rule.role}{detail}", required_role=rule.role)
        return Decision(True, (Reason("granted", f"has the role {rule.role}"),), (rule.role,))
    if holds_below(person, rule):
        return Decision(True, (Reason("granted", f"holds {rule.permission} at a domain"),))
    return require_allowed(person, rule.permission, domain)


def holds_below(person: Person, rule: Rule) -> bool:
    """Return whether the user holds what the rule requires at a domain and not at ``root``, where the service
    is to ask at a home."""
    needed = rule.permission
    if rule.domain is not HOME or needed is None or person.may(needed).allowed:
        return False
    return bool(person.domains_granting(needed))


def require_decided(work: UnitOfWork, rule: Rule) -> None:
    """Require that a unit, whose caller was let in to ask at a home, has asked: 403 otherwise."""
    if work.undecided:
        raise not_held(rule.permission, ROOT)


def not_held(permission: str | None, domain: str) -> AccessDenied:
    """Return the refusal of a user who does not hold the permission at this domain."""
    detail = f"You need the permission {permission} at {domain}: none of your roles grants it there."
    return AccessDenied(detail, required=permission, domain=domain)


def require_allowed(person: Person, permission: str | None, domain: str = ROOT) -> Decision:
    """Return the decision that allows it: 403 ``access.denied`` otherwise."""
    decision = person.may(permission)
    if not decision.allowed:
        detail = _outside(person, domain) or f": {decision.reasons[0].detail}."
        raise AccessDenied(f"You need the permission {permission}{detail}", required=permission)
    return decision


def _outside(person: Person, domain: str) -> str:
    """Say that a session at a domain holds nothing outside it; empty where the domain is inside."""
    acting = person.subject.roles.domain
    if is_in(domain, acting):
        return ""
    where = f" at {domain}" if domain else " there"
    return (
        f"{where}: this session acts at {acting} and below only. Sign in without a domain to act elsewhere."
    )


def _role_missing(person: Person, role: str) -> str:
    held = active_roles(person.graph, person.subject, clock.now())
    if any(role in person.graph.closures.get(name, ()) for name in held):
        return f": {needs_second_factor(role).detail}."
    return "."


def require_recent(auth_time: int, settings: Settings) -> None:
    """Require that the session began recently: 401 otherwise.  A refresh does not make it younger (RFC 9470
    section 3)."""
    if clock.epoch_seconds() - auth_time > settings.recent_signin_seconds:
        raise SigninTooOld(max_age=settings.recent_signin_seconds)
