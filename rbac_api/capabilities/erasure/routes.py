"""Erasure over HTTP."""

from __future__ import annotations

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.erasure import service
from rbac_api.capabilities.erasure.schemas import ErasureSchema
from rbac_api.capabilities.users.errors import UserErased, UserNotDeleted, UserNotFound
from rbac_api.guard.enforcement.decorators import current_clearance, requires
from rbac_api.guard.enforcement.rules import HOME
from rbac_api.guard.errors import TargetStronger
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.responses.json_response import empty_answer

blueprint = Blueprint(
    "erasure", __name__, url_prefix="/v1/users", tag="Users", description="People and their accounts."
)


@blueprint.route("/<user_id>/erasure")
class UserErasure(MethodView):
    @requires("users:erase", domain=HOME, recent=True)
    @blueprint.arguments(ErasureSchema)
    @blueprint.response(204)
    @blueprint.operation("erase_user", UserNotFound, UserNotDeleted, UserErased, TargetStronger)
    def post(self, body: dict[str, str], user_id: str) -> Response:
        """Erase a deleted user's personal data

        For requests under article 17 of the GDPR. Removes the username, and e-mail address, display name,
        addresses and user agents from the audit trail, sessions and incidents. In events they read
        `{"erased": true}`; the chain and all exports still verify. Ids stay, and the username cannot be used
        again. The audit trail keeps who did it and the reason.
        """
        service.erase_user(current_clearance(), user_id, body["reason"])
        return empty_answer()
