"""Decorators for Flask views.

verifier = FlaskVerifier("https://rbac.example", "rbac-api")

@app.get("/orders")
@verifier.requires("orders:read")
def orders():
    return {"for": current_identity().user_id}
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import Parameter, signature
from typing import Any, TypeVar

from flask import Response, current_app, g, request

from rbac_verifier.identity import Identity
from rbac_verifier.names import ROOT, role_name
from rbac_verifier.problems import Refused
from rbac_verifier.verifier import Verifier

F = TypeVar("F", bound=Callable[..., Any])
Domain = str | Callable[..., str | None]


class FlaskVerifier(Verifier):
    """A ``Verifier`` whose methods guard views."""

    def signed_in(self, view: F) -> F:
        """Admit only callers with a valid token."""
        return self._guarded(view)

    def requires_role(self, role: str, *, domain: Domain | None = None) -> Callable[[F], F]:
        """Admit only callers with a valid token that names ``role``, as ``requires``.

        ``ValueError`` for an invalid role name.
        """
        role_name(role)
        return lambda view: self._guarded(view, domain, role=role)

    def requires(self, permission: str, *, domain: Domain | None = None) -> Callable[[F], F]:
        """Admit only callers of whose roles one holds ``permission``, at the ``domain``.

        ``domain`` is the name of the view's argument that names the domain, or a function that takes the
        view's arguments and returns the name; without it, ``root``.

        ``ValueError`` for an invalid permission name.
        """
        self.decide_by(permission)
        return lambda view: self._guarded(view, domain, permission=permission)

    def _guarded(
        self,
        view: F,
        domain: Domain | None = None,
        *,
        role: str | None = None,
        permission: str | None = None,
    ) -> F:
        _require_argument(view, domain)

        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            there = domain(**kwargs) if callable(domain) else kwargs.get(domain) if domain else ROOT
            try:
                g.rbac_identity = self.identify(
                    request.headers, role=role, permission=permission, domain=there
                )
            except Refused as refused:
                answer = self.answer_to(refused)
                return Response(answer.body, answer.status, answer.headers)
            return current_app.ensure_sync(view)(*args, **kwargs)

        guarded.access = permission or (f"role {role}" if role else "signed in")  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]


def _require_argument(view: Callable[..., Any], domain: Domain | None) -> None:
    """``ValueError`` for an argument that the view does not take: every caller would be refused."""
    taken = signature(view).parameters
    every = any(one.kind is Parameter.VAR_KEYWORD for one in taken.values())
    if isinstance(domain, str) and domain not in taken and not every:
        raise ValueError(f"the view {view.__name__} has no argument {domain!r} that could name a domain")


def current_identity() -> Identity:
    """Return the caller, inside a view under one of the decorators."""
    identity: Identity = g.rbac_identity
    return identity
