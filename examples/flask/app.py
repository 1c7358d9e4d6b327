"""An order service in Flask: it has neither the database nor the secret of rbac-api, and verifies access tokens offline."""

from __future__ import annotations

import os

from flask import Flask

from rbac_verifier.flask import FlaskVerifier, current_identity


def create_app(verifier: FlaskVerifier | None = None) -> Flask:
    """Return the application.  Without a verifier, make one from the two settings of the service."""
    verifier = verifier or FlaskVerifier(os.environ["RBAC_ISSUER"], os.environ["RBAC_AUDIENCE"])
    app = Flask(__name__, static_folder=None)

    @app.get("/orders")
    @verifier.signed_in
    def list_orders():
        """Every caller with a valid token."""
        return {"of": current_identity().user_id}

    @app.post("/orders/<int:number>/shipment")
    @verifier.requires_role("clerk")
    def ship(number):
        """Callers whose token names the role."""
        return {"shipped": number, "by": current_identity().user_id}, 201

    @app.delete("/orders/<int:number>")
    @verifier.requires("orders:cancel")
    def cancel(number):
        """Callers of whose roles one holds the permission."""
        return {"cancelled": number, "by": current_identity().user_id}

    return app
