"""OAuth over HTTP."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from flask import Flask, Response
from flask.views import MethodView

from rbac_api.capabilities.oauth import service
from rbac_api.capabilities.oauth.schemas import (
    IntrospectionRequestSchema,
    IntrospectionSchema,
    OAuthTokensSchema,
    RevocationRequestSchema,
    ServerMetadataSchema,
    TokenRequestSchema,
)
from rbac_api.formats.oauth_errors import InvalidGrant, InvalidScope, NotYours, UnsupportedGrantType
from rbac_api.guard.enforcement.decorators import current_clearance, public
from rbac_api.guard.enforcement.guard import current_guard
from rbac_api.guard.enforcement.oauth_callers import current_caller, requires_caller
from rbac_api.guard.tokens.keys import KEY_PROBLEMS
from rbac_api.settings import Settings
from rbac_api.web.openapi.oauth_protocol import UNCACHED, OAuthBlueprint
from rbac_api.web.responses.json_response import json_answer

_METADATA = (
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/.well-known/authzen-configuration",
)
blueprint = OAuthBlueprint("oauth", __name__, tag="OAuth", description="Protocol endpoints for programs.")


@blueprint.route("/oauth/token")
class Tokens(MethodView):
    @requires_caller(bearer=False, anonymous=True)
    @blueprint.form(TokenRequestSchema)
    @blueprint.response(200, OAuthTokensSchema)
    @blueprint.operation("issue_token", InvalidGrant, InvalidScope, UnsupportedGrantType, *KEY_PROBLEMS)
    def post(self) -> Response:
        """Get an access token

        A service account gets an access token for its credentials (`client_credentials`) and requests a new
        one when it expires. An app exchanges a refresh token for new tokens (`refresh_token`), exactly as
        with `POST /v1/auth/refresh`. There are no scopes: what a token permits depends only on roles.
        """
        return json_answer(service.issue_token(current_clearance(), current_caller()), headers=UNCACHED)


@blueprint.route("/oauth/revoke")
class Revocation(MethodView):
    @requires_caller(anonymous=True)
    @blueprint.form(RevocationRequestSchema)
    @blueprint.response(200, description="The token is invalid now, or never was valid")
    @blueprint.operation("revoke_token", NotYours)
    def post(self) -> Response:
        """Revoke a token

        RFC 7009. A revoked access token is refused from the next request on; revoking a refresh token ends
        its session. Allowed for the token's own user, its client (one without a secret sends its
        `client_id`), and callers with `sessions:revoke`.
        """
        service.revoke_token(current_clearance(), current_caller())
        answer = Response(status=200, headers=UNCACHED)
        del answer.headers["Content-Type"]
        return answer


@blueprint.route("/oauth/introspect")
class Introspection(MethodView):
    @requires_caller("tokens:introspect")
    @blueprint.form(IntrospectionRequestSchema)
    @blueprint.response(200, IntrospectionSchema)
    @blueprint.operation("introspect_token")
    def post(self) -> Response:
        """Introspect a token

        RFC 7662. Whether the token is valid right now and, if so, whose it is and what it contains.
        """
        found = service.introspect_token(current_clearance(), current_caller())
        return json_answer(found, headers=UNCACHED)


@blueprint.route("/.well-known/oauth-authorization-server")
class ServerMetadata(MethodView):
    @public
    @blueprint.response(200, ServerMetadataSchema)
    @blueprint.operation("describe_server")
    def get(self) -> Response:
        """Read the server's metadata

        RFC 8414: where the OAuth endpoints are and what they support. Addresses start with the configured
        issuer.
        """
        headers = {"Cache-Control": "public, max-age=300"}
        return json_answer(service.describe_server(current_guard().settings), headers=headers)


@blueprint.route("/.well-known/openid-configuration")
class OpenIdConfiguration(MethodView):
    @public
    @blueprint.response(200, ServerMetadataSchema)
    @blueprint.operation("describe_server_for_openid_clients")
    def get(self) -> Response:
        """Read the server's metadata where OpenID clients look for it

        The same as `/.well-known/oauth-authorization-server` (RFC 8414 section 5). This service is no OpenID
        provider: there is no authorization endpoint and there are no ID tokens.
        """
        return ServerMetadata().get()


def register_issuer_path(app: Flask, settings: Settings) -> None:
    """Answer metadata where clients look for it if the issuer has a path.

    The path comes after the well-known name (RFC 8414 section 3.1), or, for OpenID clients, before it
    (section 5).
    """
    path = unquote(urlsplit(settings.issuer_url).path).rstrip("/")
    named = {rule.rule: rule.endpoint for rule in app.url_map.iter_rules()}
    for name in _METADATA if path else ():
        for address in (name + path, path + name):
            app.add_url_rule(address, endpoint=named[name])
