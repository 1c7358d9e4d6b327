"""The feed over HTTP."""

from __future__ import annotations

from typing import Any

from flask import Response, request
from flask.views import MethodView

from rbac_api.capabilities.revocations import service
from rbac_api.capabilities.revocations.schemas import FeedQuery
from rbac_api.database.constraints import DatabaseDown
from rbac_api.guard.enforcement.decorators import current_clearance, public
from rbac_api.guard.tokens.keys import KEY_PROBLEMS
from rbac_api.web.openapi.blueprint import Blueprint

blueprint = Blueprint("revocations", __name__, tag="Operation", description="What is revoked.")
_EXAMPLE = "header.payload.signature"


@blueprint.route("/.well-known/revocations")
class Revocations(MethodView):
    @public
    @blueprint.tagged
    @blueprint.arguments(FeedQuery, location="query")
    @blueprint.response(
        200,
        {"type": "string", "example": _EXAMPLE},
        content_type="application/jose",
        description="A compact JWS (RFC 7515)",
    )
    @blueprint.operation("get_revocations", DatabaseDown, *KEY_PROBLEMS)
    def get(self, query: dict[str, Any]) -> Response:
        """Follow revocations

        For services that verify access tokens themselves. A JWS signed with a key of
        `/.well-known/jwks.json`, header `typ` `revocations+jwt`, with the payload `{iss, iat, cursor, since,
        complete, more, roles, sids, jtis, kids, users}`: ended sessions, revoked tokens and keys, and the
        lowest valid `av` per user. It contains what happened after `since`. `roles` is the digest of the
        current `/.well-known/roles`. With `complete` it replaces everything known before (the cursor was too
        old or from another database); with `more`, ask again at once from `cursor`. Nothing up to `iat` is
        missing.
        """
        place = service.find_position(current_clearance(), query.get("since"))
        if request.if_none_match.contains_weak(place.tag):
            answer = Response(status=304)
        else:
            answer = Response(
                service.signed_feed(current_clearance(), place), content_type="application/jose"
            )
        answer.set_etag(place.tag, weak=True)
        seconds = current_clearance().settings.revocation_seconds
        answer.headers["Cache-Control"] = f"public, max-age={seconds}"
        return answer
