"""An invoice service in Flask with its own routes and errors, guarded by the decorators of rbac-api on its database.

It reads the same settings as the service: RBAC_DATABASE_URL, RBAC_SECRET_KEY, RBAC_ISSUER, RBAC_AUDIENCE.
"""

from __future__ import annotations

from flask import Blueprint, Flask, abort, request

from rbac_api import (
    Settings,
    admin_required,
    current_clearance,
    protect,
    public,
    requires,
    requires_role,
)

INVOICES = {1: "Paper, 12 boxes", 2: "A crane"}
invoices = Blueprint("invoices", __name__, url_prefix="/invoices")


@invoices.get("")
@requires("invoices:read")
def list_invoices():
    """Callers who hold the permission at this moment, whatever roles the token names."""
    wanted = request.args.get("q", "").lower()
    return {"invoices": [text for text in INVOICES.values() if wanted in text.lower()]}


@invoices.post("/<int:number>/approval")
@requires("invoices:approve")
def approve(number):
    """The clearance, which only the guard can make, names the caller."""
    if number not in INVOICES:
        abort(404)
    return {"approved": INVOICES[number], "by": current_clearance().actor.name}, 201


@invoices.get("/mine")
@requires()
def my_invoices():
    """Every signed-in caller."""
    return {"of": current_clearance().actor.id}


@invoices.delete("/<int:number>")
@requires_role("accountant")
def shred(number):
    """Callers with the role, also by inheritance.  Prefer permissions: administrators then decide what a role grants."""
    return {"shredded": number}


@invoices.post("/close-the-year")
@admin_required
def close_the_year():
    """Administrators."""
    return {"closed": True}


@invoices.get("/help")
@public
def how_to():
    """All callers, without sign-in."""
    return {"help": "Ask in accounting."}


def create_app(settings: Settings | None = None) -> Flask:
    """Return the application.  Without ``settings``, read them from the environment."""
    app = Flask(__name__, static_folder=None)
    protect(app, settings or Settings.from_environment())
    app.register_blueprint(invoices)
    return app
