"""Dependencies for FastAPI; Starlette endpoints call them directly.

verifier = AsgiVerifier("https://rbac.example", "rbac-api")
verifier.register(app)

@app.get("/orders")
async def orders(identity: Annotated[Identity, Depends(verifier.requires("orders:read"))]):
    return {"for": identity.user_id}

async def orders(request):  # Starlette
    identity = await verifier.signed_in(request)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from rbac_verifier.identity import Identity
from rbac_verifier.names import ROOT, role_name
from rbac_verifier.problems import Answer, Refused
from rbac_verifier.verifier import Verifier

Domain = str | Callable[[HTTPConnection], str | None]


class Denied(HTTPException):
    """The caller is refused.

    Any application answers it with the right status and challenge, a registered one also with the problem
    document.
    """

    def __init__(self, refused: Refused, answer: Answer) -> None:
        kept = {name: value for name, value in answer.headers.items() if name != "Content-Type"}
        super().__init__(answer.status, refused.detail, kept)
        self.answer = answer


class AsgiVerifier(Verifier):
    """A ``Verifier`` whose methods are dependencies.

    Each returns the ``Identity`` of a request, or raises ``Denied``.
    """

    def register(self, app: Starlette) -> None:
        """Make an application, also FastAPI's, answer refused callers with problem documents."""
        app.add_exception_handler(Denied, _answer)

    async def signed_in(self, connection: HTTPConnection) -> Identity:
        """Return the holder of a valid token."""
        return await self._identity(connection)

    def requires_role(
        self, role: str, *, domain: Domain | None = None
    ) -> Callable[[HTTPConnection], Awaitable[Identity]]:
        """Return a dependency for the holder of a valid token with ``role``, as ``requires``.

        ``ValueError`` for an invalid role name.
        """
        role_name(role)

        async def dependency(connection: HTTPConnection) -> Identity:
            return await self._identity(connection, domain, role=role)

        return dependency

    def requires(
        self, permission: str, *, domain: Domain | None = None
    ) -> Callable[[HTTPConnection], Awaitable[Identity]]:
        """Return a dependency for the callers of whose roles one holds ``permission``, at the ``domain``.

        ``domain`` is the name of the path parameter that names the domain, or a function that takes the
        request and returns the name; without it, ``root``.

        ``ValueError`` for an invalid permission name.
        """
        self.decide_by(permission)

        async def dependency(connection: HTTPConnection) -> Identity:
            return await self._identity(connection, domain, permission=permission)

        return dependency

    async def _identity(
        self,
        connection: HTTPConnection,
        domain: Domain | None = None,
        *,
        role: str | None = None,
        permission: str | None = None,
    ) -> Identity:
        """Verify in a thread, because reading a new key or the feed may take some time."""
        named = connection.path_params.get(domain) if isinstance(domain, str) else ROOT
        there = domain(connection) if callable(domain) else named
        try:
            return await run_in_threadpool(
                self.identify, connection.headers, role=role, permission=permission, domain=there
            )
        except Refused as refused:
            raise Denied(refused, self.answer_to(refused)) from refused


async def _answer(_connection: HTTPConnection, denied: Exception) -> Response:
    answer: Answer = denied.answer  # type: ignore[attr-defined]
    return Response(answer.body, answer.status, answer.headers)
