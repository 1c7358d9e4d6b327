"""The document over HTTP."""

from __future__ import annotations

from flask import Response
from flask.views import MethodView

from rbac_api.capabilities.offline_roles import errors as errors  # noqa: PLC0414 -- so that it is explained
from rbac_api.capabilities.offline_roles import service
from rbac_api.database.constraints import DatabaseDown
from rbac_api.guard.enforcement.decorators import current_clearance, public
from rbac_api.guard.tokens.keys import KEY_PROBLEMS
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.responses.constant import Fixed

blueprint = Blueprint("offline_roles", __name__, tag="Operation", description="What each role permits.")
MEDIA_TYPE = "application/jose"
_EXAMPLE = "header.payload.signature"


@blueprint.route("/.well-known/roles")
class OfflineRoles(MethodView):
    @public
    @blueprint.tagged
    @blueprint.response(
        200,
        {"type": "string", "example": _EXAMPLE},
        content_type=MEDIA_TYPE,
        description="A compact JWS (RFC 7515)",
    )
    @blueprint.operation("get_published_roles", DatabaseDown, *KEY_PROBLEMS)
    def get(self) -> Response:
        """Read what each role permits

        For services that verify access tokens themselves and decide by permission. A JWS signed with a key of
        `/.well-known/jwks.json`, header `typ` `roles+jwt`, with the payload `{iss, aud, iat, exp, revision,
        roles: {name: [permissions]}}`. A caller may do what any role in the token permits. The permissions of
        a role include inherited ones, except those inherited through a role that requires a second factor:
        where they count, the token names that role itself. `revision` is a position in the audit trail.
        `roles` in the feed of revocations is the SHA-256, in base64url, of the member `roles` of the current
        document, written as JSON with sorted names and without spaces.
        """
        clearance = current_clearance()
        document = service.find_roles_document(clearance)
        signed = clearance.snapshot.roles.published.remembered(
            document.tag, lambda: Fixed(service.signed_roles(clearance, document).encode(), MEDIA_TYPE)
        )
        return signed.answer(f"public, max-age={clearance.settings.revocation_seconds}")
