"""Schemas of the caller's own account, for the OpenAPI document."""

from __future__ import annotations

from marshmallow import fields, validate

from rbac_api.capabilities.sessions.schemas import SessionSchema
from rbac_api.capabilities.users.schemas import UserSchema
from rbac_api.web.fields import Body, Email, NewPassword, Text, Verbatim


class MeSchema(UserSchema):
    """You: your account, your effective roles and permissions in this session, and the session itself."""

    roles = fields.List(fields.String(), required=True, metadata={"example": ["admin"]})
    permissions = fields.List(fields.String(), required=True, metadata={"example": ["users:read"]})
    second_factor = fields.Boolean(
        required=True, metadata={"description": "whether signing in requires one", "example": True}
    )
    session = fields.Nested(SessionSchema, required=True)


class MePatchSchema(Body):
    """The fields of your own account that you may change."""

    display_name = Text(longest=256, allow_none=True, metadata={"example": "Ingrid Solberg"})
    email = Email(allow_none=True, metadata={"example": "ingrid@example.com"})


class PasswordChangeSchema(Body):
    """The current password as proof, and the new one."""

    current_password = Verbatim(required=True, longest=1024, metadata={"example": "your current password"})
    new_password = NewPassword(required=True)


class EndSessionsQuery(Body):
    """Which of your sessions stay."""

    keep = fields.String(
        validate=validate.OneOf(("current",)),
        metadata={"description": "`current`: the session of this request continues; omit to end all"},
    )
