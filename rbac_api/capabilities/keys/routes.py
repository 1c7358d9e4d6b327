"""Keys over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.keys import service
from rbac_api.capabilities.keys.errors import KeyActive, KeyExternal, KeyNotFound
from rbac_api.capabilities.keys.schemas import KeyListSchema, KeySchema, RotationSchema
from rbac_api.guard.enforcement.decorators import current_clearance, requires
from rbac_api.guard.errors import REPEATABLE
from rbac_api.web.fields import PageQuery
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.pagination import page_answer, page_request
from rbac_api.web.responses.json_response import created_answer, empty_answer, json_answer

blueprint = Blueprint(
    "keys", __name__, url_prefix="/v1/keys", tag="Keys", description="The keys that sign tokens."
)


@blueprint.route("")
class Keys(MethodView):
    @requires("keys:read")
    @blueprint.arguments(PageQuery, location="query")
    @blueprint.response(200, KeyListSchema)
    @blueprint.operation("list_keys")
    def get(self, query: dict[str, object]) -> Response:
        """List signing keys

        Newest first: the one that signs, the one that will sign, those that only verify and until when, and
        withdrawn ones; also keys from the settings that have signed. Never any key material; public keys are
        at `/.well-known/jwks.json`.
        """
        return page_answer(service.list_key_page(current_clearance(), page_request(query)))


@blueprint.route("/rotate")
class KeyRotation(MethodView):
    @requires("keys:rotate", recent=True)
    @blueprint.arguments(RotationSchema, required=False)
    @blueprint.response(201, KeySchema)
    @blueprint.operation("rotate_keys", KeyExternal, *REPEATABLE)
    def post(self, body: dict[str, Any]) -> Response:
        """Rotate the signing key

        A new key is published at once and signs from `signs_from` on, when every cache of
        `/.well-known/jwks.json` has it. The previous key signs until then and keeps verifying until its last
        token has expired, so no user is signed out. With `emergency` the new key signs at once: for a key
        that may be known to others, which is then withdrawn.
        """
        clearance = current_clearance()
        key = service.get_key(clearance, service.rotate_keys(clearance, emergency=body["emergency"]))
        return created_answer(key, f"/v1/keys/{key['kid']}")


@blueprint.route("/<other_than(rotate):kid>")
class Key(MethodView):
    @requires("keys:read")
    @blueprint.response(200, KeySchema)
    @blueprint.operation("get_key", KeyNotFound)
    def get(self, kid: str) -> Response:
        """Read one key

        Whether it signs, verifies or was withdrawn, and when.
        """
        return json_answer(service.get_key(current_clearance(), kid))

    @requires("keys:rotate", recent=True)
    @blueprint.response(204)
    @blueprint.operation("withdraw_key", KeyNotFound, KeyActive, KeyExternal)
    def delete(self, kid: str) -> Response:
        """Withdraw a key

        For a compromised key: every access and refresh token that it signed is refused from the next request
        on, and their users must sign in again. The active key must be rotated first, with `emergency`.
        Withdrawing a withdrawn key changes nothing.
        """
        service.withdraw_key(current_clearance(), kid)
        return empty_answer()
