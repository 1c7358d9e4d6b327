"""The errors that OAuth defines (RFC 6749 section 5.2, RFC 7009, RFC 7662).

Each has a code of this service as well.
"""

from __future__ import annotations

from typing import ClassVar

from rbac_api.formats.http_errors import REALM, ProtocolError

FORM = "application/x-www-form-urlencoded"
GRANTS = ("client_credentials", "refresh_token")
BASIC = f'Basic realm="{REALM}", charset="UTF-8"'
BEARER = f'Bearer realm="{REALM}"'


class OAuthError(ProtocolError):
    """One of the errors that RFC 6749 section 5.2 names."""

    error: ClassVar[str] = "invalid_request"
    challenges: ClassVar[tuple[str, ...]] = ()


class InvalidRequest(OAuthError):
    code = "oauth.invalid_request"
    title = "The request is not well-formed"
    default_detail = (
        "A parameter is missing, repeated or unreadable. Send each once, form-encoded in the body."
    )


class NotForm(OAuthError):
    status = 415
    code = "oauth.not_form"
    title = "Not form-encoded"
    default_detail = f"Send the parameters in the body, with Content-Type: {FORM}."


class InvalidClient(OAuthError):
    """Unknown client, wrong, expired or withdrawn secret, disabled account, or missing credentials."""

    status = 401
    code = "oauth.invalid_client"
    title = "Client authentication failed"
    default_detail = "The client credentials are wrong or missing. Send them by HTTP Basic or as form fields."
    error = "invalid_client"
    challenges = (BASIC,)


class InvalidGrant(OAuthError):
    code = "oauth.invalid_grant"
    title = "The refresh token is not valid"
    default_detail = (
        "This refresh token is invalid, expired, spent or revoked, or was issued to another client. "
        "Sign in again."
    )
    error = "invalid_grant"


class InvalidScope(OAuthError):
    code = "oauth.invalid_scope"
    title = "Scopes are not supported"
    default_detail = "What a token permits depends only on roles. Omit the parameter scope."
    error = "invalid_scope"


class InvalidTarget(OAuthError):
    """As RFC 8707 section 2 says it of a resource: one answer for an unknown domain, and for one where the
    client has no role."""

    code = "oauth.invalid_target"
    title = "The client cannot act at this domain"
    default_detail = (
        "There is no domain of this name, or no role of this service account counts there. Check the"
        " parameter domain, or omit it to act at root."
    )
    error = "invalid_target"


class UnsupportedGrantType(OAuthError):
    code = "oauth.unsupported_grant_type"
    title = "The grant type is not supported"
    default_detail = (
        "Supported are refresh_token and client_credentials. People sign in with POST /v1/auth/login."
    )
    error = "unsupported_grant_type"


class NotYours(OAuthError):
    """The token of another user or client: refused without effect (RFC 7009 section 2.1)."""

    code = "oauth.not_yours"
    title = "The token belongs to another user or client"
    default_detail = (
        "Only the token's own user, its client, or a caller who may revoke sessions can revoke it."
    )
    error = "unauthorized_client"


class ClientNotAllowed(OAuthError):
    """A known client without the permission: 401, as RFC 7662 section 2.3 has it."""

    status = 401
    code = "oauth.client_not_allowed"
    title = "The client may not introspect tokens"
    default_detail = "This service account needs the permission tokens:introspect."
    error = "unauthorized_client"
    challenges = (BASIC,)


class InsufficientScope(OAuthError):
    """A caller with a bearer token who lacks the permission, or must change the password first."""

    status = 401
    code = "oauth.insufficient_scope"
    title = "Permission missing"
    default_detail = "You need the permission tokens:introspect: none of your roles grants tokens:introspect."
    error = "insufficient_scope"
    challenges = (f'{BEARER}, error="insufficient_scope"',)
