"""The four decorators that may stand between a route and the world, and the way through them.

    @requires("roles:create")        the permission, on the present state
    @requires()                      somebody signed in, no permission in particular
    @requires_role("clerk")          an effective role
    @admin_required                  the role ``admin``
    @public                          nobody in particular, said openly

They work on plain Flask views and on flask-smorest's, inside this service or (after ``protect``) in an application of yours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, make_response, request
from sqlalchemy import Connection

from rbac_api.database.constraints import Clash, DatabaseDown
from rbac_api.database.engine import Database
from rbac_api.database.session import UnitOfWork
from rbac_api.decision.evaluate import ADMIN
from rbac_api.decision.model import Decision, Reason
from rbac_api.errors import Forbidden, Invalid, ServiceError
from rbac_api.guard.bearer import Bearer, Token
from rbac_api.guard.clearance import Clearance
from rbac_api.guard.errors import (
    AccessDenied,
    PasswordChangeRequired,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TokenRevoked,
)
from rbac_api.guard.idempotency import Keep, Repeats
from rbac_api.guard.keyring import Keyring
from rbac_api.guard.snapshot import Person, Snapshot
from rbac_api.settings import Settings, complete
from rbac_api.trail.recorder import Actor, Target, record
from rbac_api.web.arguments import refuse_unknown_query
from rbac_api.web.blueprint import document_access, takes_query
from rbac_api.web.metrics import REFUSALS
from rbac_api.web.problems import problem_answer

F = TypeVar("F", bound=Callable[..., Any])
EXTENSION = "rbac-api"
ATTEMPTS = 4  # the first and three more after a clash
_READING = frozenset({"GET", "HEAD", "OPTIONS"})
_TOKEN_PROBLEMS: tuple[type[ServiceError], ...] = (
    TokenMissing,
    TokenInvalid,
    TokenExpired,
    TokenRevoked,
    PasswordChangeRequired,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route demands."""

    permission: str | None = None
    role: str | None = None
    temporary_password: bool = False  # answers also to somebody who must change her password first
    checks_query: bool = False


class Guard:
    """Everything the decorators need, one per application; ``current_guard`` finds it."""

    def __init__(self, app: Flask, settings: Settings, database: Database) -> None:
        self.settings = settings
        self.database = database
        self.keyring = Keyring(settings, database)
        self.snapshot = Snapshot(database, self.keyring)
        self.bearer = Bearer(app, settings, self.keyring, self._is_revoked)
        self.repeats = Repeats(database, settings.secret_key)
        app.extensions[EXTENSION] = self

    def close(self) -> None:
        """Let go of threads and connections."""
        self.snapshot.close()
        self.database.dispose()

    def enter(
        self, view: Callable[..., Any], rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Response:
        """Authenticate, decide, run the view in one unit of work, and see that a refusal is recorded."""
        token = self.bearer.presented(request)
        self.snapshot.freshen()
        person = self._standing(token)
        actor = _actor(token, person)
        g.authz_stale = token.roles != person.roles
        try:
            decision = _judge(person, rule)
            if rule.checks_query:
                refuse_unknown_query()
            passage = Passage(actor, decision, token, rule, lambda: view(*args, **kwargs))
            answer = self.repeats.once(request, actor.id or "", lambda keep: self._run(passage, keep))
        except Forbidden as refusal:
            self._record_refusal(actor, rule, refusal)
            raise
        answer.headers.setdefault("Cache-Control", "no-store")
        return answer

    def enter_public(self, view: Callable[[], Any]) -> Any:
        """Run a public view in a unit of work of its own, cleared for nobody in particular."""
        actor = Actor("anonymous", ip=request.remote_addr, request_id=g.get("request_id"))
        with UnitOfWork(self.database, writes=request.method not in _READING) as work:
            if work.writes:
                work.on_open = lambda: self.snapshot.catch_up(work.connection)
            g.rbac_clearance = Clearance(
                actor, None, (Reason("public", "anybody may"),), work, self.snapshot, self.settings
            )
            return view()

    def _run(self, passage: Passage, keep: Keep) -> Response:
        writes = request.method not in _READING
        for attempt in range(ATTEMPTS):
            try:
                with UnitOfWork(self.database, writes=writes) as work:
                    work.on_open = lambda: self._confirm(work, passage)
                    g.rbac_clearance = Clearance(
                        passage.actor,
                        passage.rule.permission,
                        passage.decision.reasons,
                        work,
                        self.snapshot,
                        self.settings,
                    )
                    answer = make_response(passage.view())
                    if work.opened:
                        keep(work.connection, answer)
                    return answer
            except Clash:
                if attempt == ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")

    def _confirm(self, work: UnitOfWork, passage: Passage) -> None:
        """A writing unit has its lock: what was decided before it may no longer hold, so decide again on what is now certain."""
        if not work.writes:
            return
        self.snapshot.catch_up(work.connection)
        _judge(self._standing(passage.token, work.connection), passage.rule)

    def _standing(self, token: Token, connection: Connection | None = None) -> Person:
        session = self.snapshot.session(token.session_id, connection)
        if session is None or session.ended or session.user_id != token.subject:
            raise TokenRevoked()
        person = self.snapshot.person(token.subject, connection)
        if person is None or person.subject.status != "active":
            raise TokenRevoked()
        return person

    def _is_revoked(self, session_id: str) -> bool:
        self.snapshot.freshen()
        session = self.snapshot.session(session_id)
        return session is None or session.ended

    def _record_refusal(self, actor: Actor, rule: Rule, refusal: Forbidden) -> None:
        REFUSALS.labels(refusal.code).inc()
        facts = {
            "code": refusal.code,
            "method": request.method,
            "path": request.path,
            "required": rule.permission or rule.role,
        }
        with self.database.writing() as connection:
            record(
                connection,
                actor,
                "access.refused",
                Target("operation", request.path[:192]),
                outcome="refused",
                reason=refusal.detail,
                after=facts,
            )


@dataclass(frozen=True, slots=True)
class Passage:
    """What was found out about a request before its view runs."""

    actor: Actor
    decision: Decision
    token: Token
    rule: Rule
    view: Callable[[], Any]


def requires(permission: str | None = None, *, temporary_password: bool = False) -> Callable[[F], F]:
    """Let only signed-in users through who hold ``permission`` at this moment; without one, any signed-in user.

    Answers 401 with a Bearer challenge (RFC 6750 section 3) or 403 naming the missing permission.
    """
    return _guarded(Rule(permission=permission, temporary_password=temporary_password))


def requires_role(role: str) -> Callable[[F], F]:
    """Let only signed-in users through who effectively have ``role`` at this moment."""
    return _guarded(Rule(role=role))


def admin_required(view: F) -> F:
    """Let only administrators through: ``requires_role("admin")``."""
    return requires_role(ADMIN)(view)


def public(view: F) -> F:
    """Say openly that a route is for everybody."""
    checks_query = not takes_query(view)

    @wraps(view)
    def opened(*args: Any, **kwargs: Any) -> Any:
        if checks_query:
            refuse_unknown_query()
        return current_guard().enter_public(lambda: view(*args, **kwargs))

    opened.access = "public"  # type: ignore[attr-defined]
    problems = (Invalid,) if checks_query else ()
    return document_access(opened, permission=None, public=True, problems=problems)  # type: ignore[return-value]


def current_guard() -> Guard:
    """This application's guard."""
    guard: Guard = current_app.extensions[EXTENSION]
    return guard


def protect(app: Flask, settings: Settings) -> Guard:
    """Make the decorators work in an application of your own, on the database this service uses.

    Nothing else of ours is registered: no route, only the answer to a refusal.
    """
    settings = complete(settings)
    app.register_error_handler(ServiceError, problem_answer)
    return Guard(app, settings, Database(settings))


def unguarded_views(app: Flask) -> list[str]:
    """``METHOD rule`` for every route that says neither who may pass nor that everybody may."""
    found = []
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            handler = getattr(getattr(view, "view_class", None), method.lower(), view)
            if not hasattr(handler, "access"):
                found.append(f"{method} {rule.rule}")
    return sorted(found)


def _guarded(rule: Rule) -> Callable[[F], F]:
    def decorate(view: F) -> F:
        complete_rule = Rule(
            rule.permission, rule.role, rule.temporary_password, checks_query=not takes_query(view)
        )

        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Response:
            return current_guard().enter(view, complete_rule, args, kwargs)

        guarded.access = complete_rule  # type: ignore[attr-defined]
        problems = (*_TOKEN_PROBLEMS, DatabaseDown)
        problems += (AccessDenied,) if rule.permission or rule.role else ()
        problems += (Invalid,) if complete_rule.checks_query else ()
        return document_access(guarded, permission=rule.permission, public=False, problems=problems)  # type: ignore[return-value]

    return decorate


def _judge(person: Person, rule: Rule) -> Decision:
    """The decision, or the refusal that tells what was missing."""
    if person.subject.must_change_password and not rule.temporary_password:
        raise PasswordChangeRequired()
    if rule.role is not None:
        if rule.role not in person.roles:
            raise AccessDenied(f"You need the role {rule.role}.", required_role=rule.role)
        return Decision(True, (Reason("granted", f"has the role {rule.role}"),), (rule.role,))
    decision = person.may(rule.permission)
    if not decision.allowed:
        raise AccessDenied(
            f"You need the permission {rule.permission}: {decision.reasons[0].detail}.",
            required=rule.permission,
        )
    return decision


def _actor(token: Token, person: Person) -> Actor:
    return Actor(
        "user", token.subject, person.username, token.session_id, request.remote_addr, g.get("request_id")
    )


__all__ = [
    "Guard",
    "admin_required",
    "current_guard",
    "protect",
    "public",
    "requires",
    "requires_role",
    "unguarded_views",
]
