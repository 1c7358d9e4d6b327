"""Guards each request: token, current state, decision, one unit of work, and the recording of refusals."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from flask import Flask, Request, Response, current_app, request

from rbac_api.database.engine import Database
from rbac_api.decision.evaluate import ESCALATE
from rbac_api.decision.model import Decision, Reason
from rbac_api.errors import Conflict, Forbidden, ServiceError, Unauthenticated
from rbac_api.formats.http_errors import PreconditionFailed
from rbac_api.guard.enforcement.assembly import assemble
from rbac_api.guard.enforcement.background_start import BackgroundStart
from rbac_api.guard.enforcement.clearance import CLEARANCE, Clearance
from rbac_api.guard.enforcement.clients import Clients
from rbac_api.guard.enforcement.idempotency import Keep, Repeats
from rbac_api.guard.enforcement.refusals import Refusals, Refused
from rbac_api.guard.enforcement.rules import (
    HOME,
    Rule,
    domain_of,
    holds_below,
    judge,
    placed,
    require_decided,
    require_recent,
    session_and_user,
)
from rbac_api.guard.enforcement.unit_of_work import UnitOfWork, with_retries
from rbac_api.guard.errors import AccessDenied, TokenExpired, TokenInvalid, TokenMissing, TokenRevoked
from rbac_api.guard.incidents.detection import Claim, claim_elsewhere
from rbac_api.guard.revocation.redis_publisher import RedisPublisher
from rbac_api.guard.state.subjects import Person, SessionState
from rbac_api.guard.tokens.credentials import CrossSite, cookie, read_credentials
from rbac_api.guard.tokens.token import Token
from rbac_api.observability.logs import REQUEST_ID
from rbac_api.observability.metrics import REFUSALS
from rbac_api.settings import Settings
from rbac_api.trail.recorder import Actor
from rbac_api.web.requests.arguments import refuse_unknown_body, refuse_unknown_query
from rbac_api.web.responses.json_response import with_no_store
from rbac_api.web.server.middleware import CSRF, STALE

EXTENSION = "rbac-api"
PUBLIC = Rule()
_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class Guard:
    """Everything that the decorators need, one per application; ``current_guard`` finds it."""

    def __init__(self, app: Flask, settings: Settings, database: Database) -> None:
        self.runtime, self.bearer, self.limits = assemble(settings, database)
        self.settings, self.database, self.snapshot = settings, database, self.runtime.snapshot
        self.keyring = self.snapshot.keyring
        self.repeated = self.runtime.repetitions
        self.alarms = self.runtime.incidents
        self.cross_site = CrossSite(settings.secret_key)
        self.clients = Clients(settings, database, self.repeated, self.snapshot)
        self.repeats = Repeats(database, settings.secret_key)
        self.refusals = Refusals(database, self.repeated)
        self.publisher = RedisPublisher(settings, database)
        self.begin = BackgroundStart(self.publisher.start, self.runtime.uses.start)
        self._answer = app.make_response
        app.extensions[EXTENSION] = self

    def close(self) -> None:
        """Release threads and connections."""
        self.publisher.close()
        self.runtime.close()
        self.database.dispose()

    def authorize(
        self, view: Callable[..., Any], rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Response:
        """Authenticate, decide, run the view in one unit of work, and record a refusal."""
        # The proxy would search for it at every use.
        asked = request._get_current_object()  # type: ignore[attr-defined]
        if self.begin.waiting:
            self.begin()
        # The keys too: a token may name one that another worker has just made or withdrawn.
        self.snapshot.freshen()
        token, by_cookie = self._read_token(asked)
        session, person = self.authenticate(token, asked)
        actor = actor_of(token, person, asked)
        if token.roles != person.claimed:
            asked.environ[STALE] = True
        try:
            if by_cookie:
                self._check_cross_site(asked, token)
            domain, run = domain_of(rule, kwargs), partial(view, *args, **kwargs)
            decision = self._judge(session, person, rule, domain)
            if rule.checks_body or asked.environ.get("QUERY_STRING"):
                _refuse_unknown(rule, asked)
            context = RequestContext(actor, person, decision, token, session, rule, domain, run)
            if rule.reads or asked.method in _READING:
                answer = self._read(context, asked)
            elif rule.repeatable:
                answer = self._run_once(context, asked)
            else:
                answer = self._run(context)
        except ServiceError as refusal:
            claim = claim_elsewhere(refusal, person, token.roles)
            self.record_refusal(actor, rule, refusal, session, claim=claim)
            raise
        return with_no_store(answer)

    def run_public(self, view: Callable[[], Any]) -> Any:
        """Run a public view in a unit of work of its own, for any caller."""
        if self.begin.waiting:
            self.begin()
        actor = stranger(request)
        try:
            return with_retries(lambda: self._attempt_public(actor, view))
        except ServiceError as refusal:
            if refusal.refused_to is not None or isinstance(refusal, Forbidden):
                self.record_refusal(refusal.refused_to or actor, PUBLIC, refusal)
            raise

    def _attempt_public(self, actor: Actor, view: Callable[[], Any]) -> Any:
        with UnitOfWork(self.database, writes=request.method not in _READING) as work:
            if work.writes:
                work.on_open = lambda: self.snapshot.catch_up(work.connection)
            request.environ[CLEARANCE] = Clearance(
                actor, None, (Reason("public", "any caller may do this"),), work, self.runtime
            )
            return view()

    def _read(self, context: RequestContext, asked: Request) -> Response:
        """Run a view that changes nothing: it needs no lock, no second decision, and cannot clash."""
        with UnitOfWork(self.database, writes=False) as work:
            asked.environ[CLEARANCE] = self._clearance(context, work)
            return self._decided(context, work)

    def _run_once(self, context: RequestContext, asked: Request) -> Response:
        acting = context.session.roles.domain
        return self.repeats.once(asked, context.token.subject, partial(self._run, context), acting)

    def _run(self, context: RequestContext, keep: Keep | None = None) -> Response:
        return with_retries(lambda: self._attempt(context, keep))

    def _attempt(self, context: RequestContext, keep: Keep | None) -> Response:
        with UnitOfWork(self.database, writes=True) as work:
            work.on_open = lambda: self._confirm(work, context)
            request.environ[CLEARANCE] = self._clearance(context, work)
            answer = self._decided(context, work)
            if keep and work.opened:
                keep(work.connection, answer)
        if work.escalated and context.actor.id:
            self.runtime.uses.count(context.actor.id, ESCALATE, context.session.second_factor)
        return answer

    def _decided(self, context: RequestContext, work: UnitOfWork) -> Response:
        """Run the view.  It may not answer, nor say what the present state is, before it has asked at a home
        whether the caller may, where the permission is not held at ``root``."""
        try:
            answer = self._answer(context.view())
        except (Conflict, PreconditionFailed):
            require_decided(work, context.rule)
            raise
        require_decided(work, context.rule)
        return answer

    def _clearance(self, context: RequestContext, work: UnitOfWork) -> Clearance:
        work.undecided = holds_below(context.person, context.rule)
        reasons, permission = context.decision.reasons, context.rule.permission
        return Clearance(context.actor, permission, reasons, work, self.runtime, context.session)

    def _confirm(self, work: UnitOfWork, context: RequestContext) -> None:
        """Decide again under the write lock: the state may have changed since the first decision."""
        self.snapshot.catch_up(work.connection)
        person = session_and_user(self.runtime, context.token, work.connection)[1]
        judge(placed(self.runtime, person, context.domain, work.connection), context.rule, context.domain)
        work.undecided = holds_below(person, context.rule)

    def _judge(self, session: SessionState, person: Person, rule: Rule, domain: str) -> Decision:
        try:
            decision = judge(placed(self.runtime, person, domain), rule, domain)
        except AccessDenied as refusal:
            refusal.members |= {} if rule.domain in (None, HOME) else {"domain": domain}
            raise
        if rule.recent:
            require_recent(session.auth_time, self.settings)
        if rule.permission is not None:
            self.runtime.uses.count(person.subject.id, rule.permission, session.second_factor)
        return decision

    def refresh_token(self, asked: Request) -> tuple[str, bool]:
        """Return a request's refresh token, and whether a cookie brought it; that needs the CSRF token."""
        text, by_cookie = read_credentials(asked, "refresh")
        if by_cookie:
            self.snapshot.freshen()  # the keys, before one is looked up
            self.cross_site.require_token(asked, self.bearer.verify_token(text, "refresh").session_id)
        return text, by_cookie

    def session_left(self, asked: Request) -> str | None:
        """Return the ``jti`` of a browser's old refresh token at sign-in; None without a valid one."""
        with suppress(TokenMissing, TokenInvalid, TokenExpired):
            if not asked.environ.get("HTTP_AUTHORIZATION"):
                self.snapshot.freshen()  # the keys, before one is looked up
                return self.bearer.verify_token(cookie(asked, "refresh") or "", "refresh").jti
        return None

    def _read_token(self, asked: Request) -> tuple[Token, bool]:
        try:
            return self.bearer.read_token(asked)
        except (TokenMissing, TokenExpired) as refusal:
            raise self._refreshable_error(asked, refusal) from refusal

    def _refreshable_error(self, asked: Request, refusal: Unauthenticated) -> Unauthenticated:
        """Say that the access cookie expired if the refresh cookie is good, and let the page refresh."""
        if asked.environ.get("HTTP_AUTHORIZATION"):
            return refusal
        try:
            session_id = self.bearer.verify_token(cookie(asked, "refresh") or "", "refresh").session_id
        except (TokenInvalid, TokenExpired):
            return refusal
        if asked.method in _READING:
            asked.environ[CSRF] = self.cross_site.token(session_id)
        return TokenExpired()

    def _check_cross_site(self, asked: Request, token: Token) -> None:
        """Give the session's CSRF token to a read by cookie, and require it of a write."""
        if asked.method in _READING:
            asked.environ[CSRF] = self.cross_site.token(token.session_id)
        else:
            self.cross_site.require_token(asked, token.session_id)

    def authenticate(self, token: Token, asked: Request) -> tuple[SessionState, Person]:
        """Return session and user of a token; one whose session has ended may open an incident."""
        try:
            return session_and_user(self.runtime, token)
        except TokenRevoked:
            self.alarms.dead_token(token, stranger(asked))
            raise

    def record_refusal(
        self,
        actor: Actor,
        rule: Rule,
        refusal: ServiceError,
        session: SessionState | None = None,
        *,
        claim: Claim | None = None,
    ) -> None:
        """Record a refusal, if its kind is recorded, and give the answer the number that explains it."""
        if not refusal.recorded:
            return
        REFUSALS.labels(refusal.code).inc()
        if number := self.refusals.add(Refused.of(request, actor, rule, refusal, session)):
            refusal.members["decision_id"] = number
        if claim:
            self.alarms.stale_claim(claim, actor)


class RequestContext(NamedTuple):
    """What is known about a request before its view runs."""

    actor: Actor
    person: Person
    decision: Decision
    token: Token
    session: SessionState
    rule: Rule
    domain: str  # where the rule asks
    view: Callable[[], Any]


def _refuse_unknown(rule: Rule, asked: Request) -> None:
    """Refuse what this operation would ignore: the caller believes that it counts."""
    if rule.checks_query and asked.environ.get("QUERY_STRING"):
        refuse_unknown_query()
    if rule.checks_body:
        refuse_unknown_body()


def current_guard() -> Guard:
    """Return the guard of the current application."""
    guard: Guard | None = current_app.extensions.get(EXTENSION)
    if guard is None:
        raise RuntimeError("a decorator of rbac_api guards this route: call protect(app, settings) first")
    return guard


def actor_of(token: Token, person: Person, asked: Request) -> Actor:
    """The account whose token this request presents."""
    whose = (token.subject, person.username, token.session_id)
    sent = (asked.remote_addr, asked.environ.get(REQUEST_ID), asked.environ.get("HTTP_USER_AGENT"))
    return Actor("service" if person.kind == "service" else "user", *whose, *sent, person.subject.home)


def stranger(asked: Request) -> Actor:
    """The caller of this request, as long as it is not known who that is."""
    name, agent = asked.environ.get(REQUEST_ID), asked.environ.get("HTTP_USER_AGENT")
    return Actor("anonymous", ip=asked.remote_addr, request_id=name, user_agent=agent)
