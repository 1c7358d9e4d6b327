"""Shapes of sessions, as the OpenAPI document has them."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.web.fields import ID, Moment, NextCursor, PageQuery, RoleName, Text, Total

STATES = ("active", "ended")
REASONS = (
    "logout",
    "admin",
    "expired",
    "idle",
    "reuse-detected",
    "password-change",
    "user-disabled",
    "user-deleted",
)


class UserReferenceSchema(ma.Schema):
    """A user, by id and name."""

    id = fields.String(required=True, metadata=ID)
    username = fields.String(required=True, metadata={"example": "ingrid.solberg"})


class SessionSchema(ma.Schema):
    """One sign-in.  Its id is no credential."""

    id = fields.String(required=True, metadata=ID)
    user = fields.Nested(UserReferenceSchema, required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES), metadata={"example": "active"})
    created_at = fields.DateTime(required=True)
    last_seen_at = fields.DateTime(required=True, metadata={"description": "sign-in or latest refresh"})
    expires_at = fields.DateTime(
        required=True,
        metadata={
            "description": "ends then, unless refreshed before; never later than the session's absolute end"
        },
    )
    ip = fields.String(required=True, allow_none=True, metadata={"example": "203.0.113.7"})
    user_agent = fields.String(required=True, allow_none=True, metadata={"example": "Mozilla/5.0"})
    client_id = fields.String(required=True, metadata={"example": "first-party"})
    ended_at = fields.DateTime(required=True, allow_none=True, metadata={"example": None})
    ended_by = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": "id of the user who ended it; empty for deadlines and detections",
            "example": None,
        },
    )
    end_reason = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf((*REASONS, None)),
        metadata={"example": None},
    )


class OwnSessionSchema(SessionSchema):
    """One of your own sign-ins."""

    current = fields.Boolean(
        required=True,
        metadata={"description": "whether it is the session of this request", "example": True},
    )


class _ListSchema(ma.Schema):
    next = NextCursor()
    total = Total()


class SessionListSchema(_ListSchema):
    """A page of sessions, newest first."""

    items = fields.List(fields.Nested(SessionSchema), required=True)


class OwnSessionListSchema(_ListSchema):
    """A page of your own active sessions, newest first."""

    items = fields.List(fields.Nested(OwnSessionSchema), required=True)


class RefreshTokenSchema(ma.Schema):
    """The record of a refresh token; the token itself is nowhere stored."""

    jti = fields.String(required=True, metadata=ID)
    generation = fields.Integer(required=True, metadata={"example": 1})
    issued_at = fields.DateTime(required=True)
    expires_at = fields.DateTime(required=True)
    spent_at = fields.DateTime(required=True, allow_none=True)
    replaced_by = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "`jti` of its successor", "example": "0198c0de-9b02-7c1a-8f55-6e0d4c3b2a19"},
    )
    ip = fields.String(required=True, allow_none=True, metadata={"example": "203.0.113.7"})


class RefreshTokenListSchema(_ListSchema):
    """A page of refresh-token records, by generation."""

    items = fields.List(fields.Nested(RefreshTokenSchema), required=True)


class SessionQuery(PageQuery):
    """Which sessions."""

    state = fields.String(
        load_default="active",
        validate=validate.OneOf((*STATES, "all")),
        metadata={"description": "active ones unless you say otherwise"},
    )
    user = Text(longest=128, shortest=1, metadata={"description": "a user's id or username"})
    role = RoleName(metadata={"description": "effectively held by the user"})
    ip = Text(longest=64, shortest=1, metadata={"description": "address signed in from"})
    created_after = Moment(metadata={"description": "begun later than this moment"})
    created_before = Moment(metadata={"description": "begun earlier than this moment"})
