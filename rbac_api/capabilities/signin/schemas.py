"""Schemas of signing in, for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.web.fields import ID, Body, DomainName, NewPassword, OptionalBody, RoleName, Text, Verbatim

_SHOWN = "<token>"


class LoginSchema(Body):
    """The name and the proofs."""

    username = Verbatim(required=True, longest=256, metadata={"example": "admin"})
    password = Verbatim(required=True, longest=1024, metadata={"example": "your password"})
    otp = Verbatim(
        longest=64,
        metadata={
            "description": (
                "required if a second factor is set up: the six-digit code or a recovery code; spaces and "
                "dashes are ignored"
            ),
            "example": "492 039",
        },
    )
    roles = fields.List(
        RoleName(),
        validate=validate.Length(max=200),
        metadata={
            "description": (
                "start the session with only these roles and what they inherit; `[]` for none; omit for all"
            ),
            "example": ["accountant"],
        },
    )
    domain = DomainName(
        metadata={
            "description": "the session acts at this domain and below, and nowhere else; default: `root`",
            "example": "root",
        },
    )
    client_id = Text(
        shortest=1,
        longest=128,
        pattern=r"^[!-~]+$",
        error="Visible ASCII characters only.",
        metadata={
            "description": "the app that signs in; recorded in the session and the tokens",
            "example": "first-party",
        },
    )


class TokensSchema(ma.Schema):
    """A pair of tokens."""

    access_token = fields.String(
        required=True,
        metadata={"description": "JWT (RFC 9068) for the Authorization header", "example": _SHOWN},
    )
    refresh_token = fields.String(
        required=True,
        metadata={"description": "JWT, only for POST /v1/auth/refresh", "example": _SHOWN},
    )
    token_type = fields.String(
        required=True, validate=validate.Equal("Bearer"), metadata={"example": "Bearer"}
    )
    expires_in = fields.Integer(required=True, metadata={"description": "seconds", "example": 900})
    refresh_expires_in = fields.Integer(required=True, metadata={"description": "seconds", "example": 3600})
    session_id = fields.String(required=True, metadata=ID)
    password_change_required = fields.Boolean(
        required=True,
        metadata={"description": "if true, change it with POST /v1/me/password first", "example": False},
    )


class BrowserSessionSchema(ma.Schema):
    """The answer to a page in a browser: the tokens are in cookies that no script can read."""

    session_id = fields.String(required=True, metadata=ID)
    expires_in = fields.Integer(required=True, metadata={"description": "seconds", "example": 900})
    csrf_token = fields.String(
        required=True,
        metadata={
            "description": "send as `X-CSRF-TOKEN` with every write; stays the same for the whole session",
            "example": _SHOWN,
        },
    )
    password_change_required = fields.Boolean(
        required=True,
        metadata={"description": "if true, change it with POST /v1/me/password first", "example": False},
    )


class LoginQuery(Body):
    """Where the tokens go."""

    mode = fields.String(
        load_default="header",
        validate=validate.OneOf(("header", "cookie")),
        metadata={
            "description": (
                "`header`: return tokens for the Authorization header; `cookie`: set them as cookies, for "
                "pages in a browser"
            )
        },
    )


class RefreshSchema(OptionalBody):
    """The refresh token, unless it is sent as Bearer or in its cookie."""

    refresh_token = Verbatim(longest=8192, metadata={"example": "<refresh token>"})


class PasswordSetupUseSchema(Body):
    """A setup token and the new password."""

    token = Verbatim(required=True, longest=256, metadata={"example": "rbac-setup-…"})
    new_password = NewPassword(required=True)
