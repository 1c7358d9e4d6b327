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
from typing import Any, TypeVar

from flask import Response, current_app, g, request

from rbac_verifier.problems import Refused
from rbac_verifier.verifier import Identity, Verifier, role_name

F = TypeVar("F", bound=Callable[..., Any])


class FlaskVerifier(Verifier):
    """A ``Verifier`` whose methods guard views."""

    def signed_in(self, view: F) -> F:
        """Admit only callers with a valid token."""
        return self._guarded(view)

    def requires_role(self, role: str) -> Callable[[F], F]:
        """Admit only callers with a valid token that names ``role``.

        ``ValueError`` for an invalid role name.
        """
        role_name(role)
        return lambda view: self._guarded(view, role=role)

    def requires(self, permission: str) -> Callable[[F], F]:
        """Admit only callers of whose roles one holds ``permission``.

        ``ValueError`` for an invalid permission name.
        """
        self.decide_by(permission)
        return lambda view: self._guarded(view, permission=permission)

    def _guarded(self, view: F, role: str | None = None, permission: str | None = None) -> F:
        @wraps(view)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                g.rbac_identity = self.identify(request.headers, role=role, permission=permission)
            except Refused as refused:
                answer = self.answer_to(refused)
                return Response(answer.body, answer.status, answer.headers)
            return current_app.ensure_sync(view)(*args, **kwargs)

        guarded.access = permission or (f"role {role}" if role else "signed in")  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]


def current_identity() -> Identity:
    """Return the caller, inside a view under one of the decorators."""
    identity: Identity = g.rbac_identity
    return identity
