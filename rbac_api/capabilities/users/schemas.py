"""Schemas of users, for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.web.fields import (
    CONTROLS,
    ID,
    Body,
    DomainName,
    Email,
    Flag,
    Moment,
    NewPassword,
    RoleName,
    Text,
    page_of,
)
from rbac_api.web.requests.as_of import PastPageQuery

STATUSES = ("active", "disabled")
HOME = {
    "description": "the domain whose administrators look after this user, and those above",
    "example": "acme",
}
SORTED = ("username", "created_at", "last_login_at")


class UserSchema(ma.Schema):
    """A user with an account."""

    id = fields.String(required=True, metadata=ID)
    username = fields.String(required=True, metadata={"example": "ingrid.solberg"})
    email = fields.String(required=True, allow_none=True, metadata={"example": "ingrid.solberg@example.com"})
    display_name = fields.String(required=True, allow_none=True, metadata={"example": "Ingrid Solberg"})
    status = fields.String(required=True, validate=validate.OneOf(STATUSES), metadata={"example": "active"})
    password_change_required = fields.Boolean(
        required=True,
        metadata={
            "description": "true for a temporary password that must be changed first",
            "example": False,
        },
    )
    locked_until = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={
            "description": "until when sign-ins fail because of too many failures; null if they do not",
            "example": None,
        },
    )
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)
    last_login_at = fields.DateTime(required=True, allow_none=True)
    home = fields.String(required=True, metadata=HOME)


class PasswordSetupSchema(ma.Schema):
    """A single-use token for POST /v1/auth/password-setup; shown once."""

    token = fields.String(required=True, metadata={"example": "rbac-setup-…"})
    expires_at = fields.DateTime(required=True)


class CreatedUserSchema(UserSchema):
    """The new user; without a password in the request also the setup token, which is shown only here."""

    password_setup = fields.Nested(PasswordSetupSchema)


UserListSchema = page_of("UserListSchema", UserSchema)


class UserCreateSchema(Body):
    """A new user. Roles are assigned afterwards, each as a resource of its own."""

    username = Text(  # ``decision.names`` explains hidden characters
        required=True,
        shortest=1,
        longest=128,
        pattern=CONTROLS,
        error="Control characters are not allowed.",
        metadata={"example": "nora.lindqvist", "description": "unique, whatever the case or Unicode form"},
    )
    email = Email(allow_none=True, metadata={"example": "nora.lindqvist@example.com"})
    display_name = Text(longest=256, allow_none=True, metadata={"example": "Nora Lindqvist"})
    password = NewPassword(
        shortest=0,
        description="15 to 256 characters, temporary; without it the answer holds a setup token",
    )
    home = DomainName(
        metadata={"description": "the user's home; the session's domain if omitted", "example": "acme"}
    )


class UserPatchSchema(Body):
    """The fields of a user that can change."""

    email = Email(allow_none=True, metadata={"example": "ingrid@example.com"})
    display_name = Text(longest=256, allow_none=True, metadata={"example": "Ingrid Solberg"})
    status = fields.String(
        validate=validate.OneOf(STATUSES),
        metadata={"description": "`disabled` ends every session", "example": "active"},
    )
    home = DomainName(
        metadata={"description": "the user's new home; needs the permission there too", "example": "acme"}
    )


class UserQuery(PastPageQuery):
    """Filters for users."""

    q = Text(
        longest=128,
        shortest=1,
        metadata={
            "description": (
                "a text anywhere in username, e-mail address or display name; case and accents do not count"
            )
        },
    )
    status = fields.String(
        validate=validate.OneOf(STATUSES), metadata={"description": "status of the account"}
    )
    role = RoleName(metadata={"description": "only users who effectively hold this role"})
    created_after = Moment(metadata={"description": "created after this time"})
    last_login_before = Moment(metadata={"description": "signed in, but not since this time"})
    never_signed_in = Flag(
        metadata={"description": "`true`: only users who have never signed in; `false`: only those who have"}
    )
    without_roles = Flag(
        metadata={
            "description": (
                "`true`: only users without an assignment, now or later, also eligible; `false`: only those "
                "with one"
            )
        }
    )
    second_factor = Flag(
        metadata={"description": "`true`: only users with a second factor; `false`: only those without"}
    )
    home = DomainName(metadata={"description": "only users at home at this very domain"})
    sort = fields.String(
        validate=validate.OneOf([f"{sign}{name}" for name in SORTED for sign in ("", "-")]),
        metadata={"description": "the order, `username` by default; with `-` descending"},
    )
