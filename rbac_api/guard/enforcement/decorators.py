"""Declares what a route requires, with four decorators.

    @requires("roles:create")        the permission, on the current state
    @requires()                      any signed-in user
    @requires_role("clerk")          an effective role
    @admin_required                  the role ``admin``
    @public                          any caller, stated explicitly

They work on plain Flask views and on flask-smorest's, inside this service or (after ``protect``) in an
application of yours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from inspect import Parameter, signature
from typing import Any, TypeVar

from flask import Flask, Response, current_app, request

from rbac_api.database.constraints import DatabaseDown
from rbac_api.decision.evaluate import ADMIN
from rbac_api.decision.naming import PERMISSION, ROLE, NameRule
from rbac_api.errors import Invalid, ServiceError
from rbac_api.formats.http_errors import CredentialsRepeated
from rbac_api.guard.enforcement.clearance import CLEARANCE, Clearance
from rbac_api.guard.enforcement.guard import current_guard
from rbac_api.guard.enforcement.rules import Domain, Rule
from rbac_api.guard.errors import (
    AccessDenied,
    CsrfFailed,
    IdempotencyRunning,
    PasswordChangeRequired,
    SigninTooOld,
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TokenRevoked,
)
from rbac_api.sealing import SealBroken
from rbac_api.trail.recorder import TrailUnavailable
from rbac_api.web.openapi.blueprint import document_access, documents, refuses_body, refuses_query
from rbac_api.web.requests.arguments import refuse_unknown_body, refuse_unknown_query

F = TypeVar("F", bound=Callable[..., Any])
_WRITING = frozenset({"post", "put", "patch", "delete"})  # the methods of a flask view class
_TOKEN_PROBLEMS: tuple[type[ServiceError], ...] = (
    CredentialsRepeated,
    TokenMissing,
    TokenInvalid,
    TokenExpired,
    TokenRevoked,
    PasswordChangeRequired,
)


def requires(
    permission: str | None = None,
    *,
    domain: Domain | None = None,
    temporary_password: bool = False,
    recent: bool = False,
    reads: bool = False,
) -> Callable[[F], F]:
    """Allow only signed-in users who hold ``permission`` at this moment; without one, any signed-in user.

    ``recent`` requires a recent sign-in too; otherwise the answer is 401 with a challenge (RFC 9470).
    ``reads`` says that the view changes nothing though its method could: it gets a unit of work that cannot
    write and takes no lock.  ``domain`` says where the permission has to count: the name of the view's
    argument that names a domain, or a function that takes the view's arguments and returns the name; without
    it, at ``root``.  A domain that does not exist is refused like a missing permission.

    ``HOME`` as the domain lets in those who hold the permission anywhere, and leaves it to the view to ask
    where the thing concerned is at home: ``Clearance.over``, ``at`` and ``domains_granting``.  A view that
    asks nothing answers 403.

    Answers 401 with a Bearer challenge (RFC 6750 section 3) or 403 naming the missing permission.  Raises
    ``ValueError`` for what cannot be a permission's name.
    """
    if permission is not None:
        _require_name(PERMISSION, permission)
    elif domain is not None:
        raise ValueError("domain says where a permission has to count: name the permission too")
    return _guarded(
        Rule(permission, domain=domain, recent=recent, temporary_password=temporary_password, reads=reads)
    )


def requires_role(role: str, *, domain: Domain | None = None) -> Callable[[F], F]:
    """Allow only signed-in users who effectively have ``role`` at this moment, at the ``domain``, as
    ``requires``.  ``ValueError`` for what cannot be its name."""
    _require_name(ROLE, role)
    return _guarded(Rule(role=role, domain=domain))


def admin_required(view: F) -> F:
    """Allow only administrators: ``requires_role("admin")``."""
    return requires_role(ADMIN)(view)


def public(view: F) -> F:
    """State explicitly that a route is for any caller."""
    checks_query, checks_body = refuses_query(view), view.__name__ in _WRITING and refuses_body(view)

    @wraps(view)
    def opened(*args: object, **kwargs: object) -> object:
        if checks_query:
            refuse_unknown_query()
        if checks_body:
            refuse_unknown_body()
        ready = current_app.ensure_sync(view)  # a host application's view may be a coroutine
        return current_guard().run_public(lambda: ready(*args, **kwargs))

    opened.access = "public"  # type: ignore[attr-defined]
    problems = (Invalid,) if checks_query or checks_body else ()
    return document_access(opened, permission=None, public=True, problems=problems)  # type: ignore[return-value]


def unguarded_views(app: Flask) -> list[str]:
    """Return ``METHOD rule`` for every route that no decorator of this module guards."""
    found = []
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            handler = getattr(getattr(view, "view_class", None), method.lower(), view)
            if not hasattr(handler, "access"):
                found.append(f"{method} {rule.rule}")
    return sorted(found)


def _require_name(rule: NameRule, name: str) -> None:
    """Refuse a name that no permission or role can have: no caller could pass such a route, so start-up has
    to find it."""
    if problem := rule.problem(name):
        raise ValueError(problem)


def _require_argument(view: Callable[..., Any], domain: Domain | None) -> None:
    """Refuse an argument that the view does not take: every caller would be refused."""
    if isinstance(domain, str):
        taken = signature(view).parameters
        if domain not in taken and not any(one.kind is Parameter.VAR_KEYWORD for one in taken.values()):
            raise ValueError(f"the view {view.__name__} has no argument {domain!r} that could name a domain")


def _guarded(rule: Rule) -> Callable[[F], F]:
    def decorate(view: F) -> F:
        _require_argument(view, rule.domain)
        complete_rule = replace(
            rule,
            checks_query=refuses_query(view),
            checks_body=view.__name__ in _WRITING and refuses_body(view),
            repeatable=documents(view, IdempotencyRunning),
        )

        @wraps(view)
        def guarded(*args: object, **kwargs: object) -> Response:
            return current_guard().authorize(view, complete_rule, args, kwargs)

        guarded.access = complete_rule  # type: ignore[attr-defined]
        problems = (*_TOKEN_PROBLEMS, DatabaseDown, TrailUnavailable, SealBroken)
        problems += (AccessDenied,) if rule.permission or rule.role else ()
        problems += (Invalid,) if complete_rule.checks_query else ()
        problems += (SigninTooOld,) if rule.recent else ()
        problems += (CsrfFailed,) if view.__name__ in _WRITING else ()
        return document_access(guarded, permission=rule.permission, public=False, problems=problems)  # type: ignore[return-value]

    return decorate


def current_clearance() -> Clearance:
    """Return the clearance of the current request; only inside a view under ``requires``."""
    clearance: Clearance = request.environ[CLEARANCE]
    return clearance
