"""An order service in FastAPI: it has neither the database nor the secret of rbac-api, and verifies access tokens offline."""

import os
from typing import Annotated

from fastapi import Depends, FastAPI

from rbac_verifier import Identity
from rbac_verifier.asgi import AsgiVerifier


def create_app(verifier: AsgiVerifier | None = None) -> FastAPI:
    """Return the application.  Without a verifier, make one from the two settings of the service."""
    verifier = verifier or AsgiVerifier(os.environ["RBAC_ISSUER"], os.environ["RBAC_AUDIENCE"])
    app = FastAPI()
    verifier.register(app)  # refused callers get problem documents

    @app.get("/orders")
    async def list_orders(caller: Annotated[Identity, Depends(verifier.signed_in)]) -> dict[str, str]:
        """Every caller with a valid token."""
        return {"of": caller.user_id}

    @app.post("/orders/{number}/shipment", status_code=201)
    async def ship(
        number: int, caller: Annotated[Identity, Depends(verifier.requires_role("clerk"))]
    ) -> dict[str, str | int]:
        """Callers whose token names the role."""
        return {"shipped": number, "by": caller.user_id}

    @app.delete("/orders/{number}")
    async def cancel(
        number: int, caller: Annotated[Identity, Depends(verifier.requires("orders:cancel"))]
    ) -> dict[str, str | int]:
        """Callers of whose roles one holds the permission."""
        return {"cancelled": number, "by": caller.user_id}

    return app
