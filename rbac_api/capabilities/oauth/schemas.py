"""Schemas of the OAuth endpoints, for the OpenAPI document. ``web.openapi.oauth_protocol`` reads the
forms."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.decision.naming import DOMAIN
from rbac_api.formats.oauth_errors import GRANTS
from rbac_api.web.fields import ID, name_schema

_TOKEN = {"description": "an access or refresh token", "example": "<token>"}
_HINT = fields.String(
    metadata={
        "description": "`access_token` or `refresh_token`; a wrong hint changes nothing",
        "example": "refresh_token",
    }
)
_URL = {"format": "uri"}


class _ClientSchema(ma.Schema):
    client_id = fields.String(
        metadata={
            "description": "the client's id, unless it is in the Authorization header",
            "example": "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57",
        }
    )
    client_secret = fields.String(metadata={"example": "rbac-client-…"})


class TokenRequestSchema(_ClientSchema):
    """What is exchanged for an access token."""

    grant_type = fields.String(
        required=True, validate=validate.OneOf(GRANTS), metadata={"example": "client_credentials"}
    )
    refresh_token = fields.String(
        metadata={"description": "for the grant type refresh_token", "example": "<refresh token>"}
    )
    domain = fields.String(
        metadata={
            **name_schema(DOMAIN),
            "description": (
                "for the grant type client_credentials: the token acts at this domain and below, and nowhere"
                " else; default: `root`"
            ),
            "example": "root",
        }
    )


class OAuthTokensSchema(ma.Schema):
    """Tokens, RFC 6749 section 5.1."""

    access_token = fields.String(
        required=True, metadata={"description": "JWT (RFC 9068)", "example": "<token>"}
    )
    token_type = fields.String(
        required=True, validate=validate.Equal("Bearer"), metadata={"example": "Bearer"}
    )
    expires_in = fields.Integer(required=True, metadata={"description": "seconds", "example": 900})
    refresh_token = fields.String(
        metadata={"description": "only for the grant type refresh_token", "example": "<refresh token>"}
    )


class RevocationRequestSchema(_ClientSchema):
    """The token to revoke."""

    token = fields.String(required=True, metadata=_TOKEN)
    token_type_hint = _HINT


class IntrospectionRequestSchema(_ClientSchema):
    """The token to introspect."""

    token = fields.String(required=True, metadata=_TOKEN)
    token_type_hint = _HINT


class IntrospectionSchema(ma.Schema):
    """What is known about a token. If it is not active, only that is returned."""

    active = fields.Boolean(required=True, metadata={"example": True})
    type = fields.String(
        validate=validate.OneOf(("access", "refresh")),
        metadata={"description": "`access` or `refresh`", "example": "access"},
    )
    token_type = fields.String(metadata={"description": "of access tokens", "example": "Bearer"})
    iss = fields.String(metadata={"example": "https://rbac.example.com"})
    sub = fields.String(metadata={"description": "id of the user or service account", **ID})
    username = fields.String(metadata={"description": "at this moment", "example": "ingrid.solberg"})
    aud = fields.String(metadata={"example": "rbac-api"})
    client_id = fields.String(metadata={"example": "first-party"})
    jti = fields.String(metadata=ID)
    sid = fields.String(metadata={"description": "id of the session", **ID})
    iat = fields.Integer(metadata={"description": "seconds since 1970", "example": 1795366800})
    nbf = fields.Integer(metadata={"example": 1795366800})
    exp = fields.Integer(metadata={"example": 1795367700})
    auth_time = fields.Integer(metadata={"example": 1795366800})
    amr = fields.List(fields.String(), metadata={"example": ["pwd", "otp"]})
    roles = fields.List(
        fields.String(),
        metadata={
            "description": "current effective roles, whatever the token says; as many as fit into a token",
            "example": ["accountant"],
        },
    )
    domain = fields.String(
        metadata={"description": "where it acts, and below; absent: `root`", "example": "acme"}
    )
    domains_held = fields.Boolean(
        metadata={
            "description": "`true`: in domains below, more may count than its roles; absent: no",
            "example": True,
        }
    )
    roles_omitted = fields.Integer(
        metadata={"description": "how many more effective roles there are; absent: none", "example": 21}
    )


class ServerMetadataSchema(ma.Schema):
    """Authorization server metadata, RFC 8414."""

    issuer = fields.String(required=True, metadata={**_URL, "example": "https://rbac.example.com"})
    token_endpoint = fields.String(
        required=True, metadata={**_URL, "example": "https://rbac.example.com/oauth/token"}
    )
    revocation_endpoint = fields.String(
        required=True, metadata={**_URL, "example": "https://rbac.example.com/oauth/revoke"}
    )
    introspection_endpoint = fields.String(
        required=True, metadata={**_URL, "example": "https://rbac.example.com/oauth/introspect"}
    )
    jwks_uri = fields.String(
        metadata={
            **_URL,
            "description": "absent with HS256",
            "example": "https://rbac.example.com/.well-known/jwks.json",
        }
    )
    service_documentation = fields.String(
        metadata={**_URL, "description": "if it is served", "example": "https://rbac.example.com/docs"}
    )
    grant_types_supported = fields.List(fields.String(), required=True, metadata={"example": list(GRANTS)})
    response_types_supported = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "there is no authorization endpoint: `none`, since an empty list is not allowed",
            "example": ["none"],
        },
    )
    token_endpoint_auth_methods_supported = fields.List(
        fields.String(), required=True, metadata={"example": ["client_secret_basic"]}
    )
    revocation_endpoint_auth_methods_supported = fields.List(
        fields.String(), required=True, metadata={"example": ["client_secret_basic"]}
    )
    introspection_endpoint_auth_methods_supported = fields.List(
        fields.String(), required=True, metadata={"example": ["client_secret_basic", "Bearer"]}
    )
