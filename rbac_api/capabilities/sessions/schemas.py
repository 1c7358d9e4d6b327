"""Schemas of sessions, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.web.fields import (
    ID,
    TEXT,
    Address,
    Body,
    Moment,
    RoleName,
    Switch,
    Text,
    Whole,
    page_of,
)
from rbac_api.web.requests.as_of import PastPageQuery

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
    "session-limit",
)


class UserReferenceSchema(ma.Schema):
    """A user or service account, by id and name."""

    id = fields.String(required=True, metadata=ID)
    username = fields.String(required=True, metadata={"example": "ingrid.solberg"})


class SessionActorSchema(ma.Schema):
    """Who ended a session."""

    type = fields.String(
        required=True, validate=validate.OneOf(("user", "service")), metadata={"example": "user"}
    )
    id = fields.String(required=True, metadata=ID)
    name = fields.String(required=True, metadata={"example": "ingrid.solberg"})


class SessionSchema(ma.Schema):
    """One sign-in. Its id is no credential."""

    id = fields.String(required=True, metadata=ID)
    user = fields.Nested(UserReferenceSchema, required=True)
    state = fields.String(required=True, validate=validate.OneOf(STATES), metadata={"example": "active"})
    created_at = fields.DateTime(required=True)
    last_seen_at = fields.DateTime(required=True, metadata={"description": "sign-in or latest refresh"})
    expires_at = fields.DateTime(
        required=True,
        metadata={"description": "ends then unless refreshed before; never later than the absolute end"},
    )
    ip = fields.String(required=True, allow_none=True, metadata={"example": "203.0.113.7"})
    user_agent = fields.String(required=True, allow_none=True, metadata={"example": "Mozilla/5.0"})
    client_id = fields.String(required=True, metadata={"example": "first-party"})
    amr = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "authentication methods (RFC 8176)", "example": ["pwd", "otp"]},
    )
    roles = fields.List(
        fields.String(),
        required=True,
        allow_none=True,
        metadata={
            "description": (
                "the roles it was restricted to, if any; besides them, only activated roles are effective"
            ),
            "example": None,
        },
    )
    domain = fields.String(
        required=True,
        allow_none=True,
        metadata={
            "description": (
                "it acts at this domain and below, and nowhere else; null, and nothing is said of its roles,"
                " where you may not read sessions in or above it"
            ),
            "example": "root",
        },
    )
    ended_at = fields.DateTime(required=True, allow_none=True, metadata={"example": None})
    ended_by = fields.Nested(
        SessionActorSchema,
        required=True,
        allow_none=True,
        metadata={"description": "who ended it; null for the service, a deadline and the command line"},
    )
    end_reason = fields.String(
        required=True,
        allow_none=True,
        validate=validate.OneOf((*REASONS, None)),
        metadata={"example": None},
    )


class SessionInsideSchema(SessionSchema):
    """One sign-in, and the roles and permissions that are effective in it now."""

    active_roles = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "currently effective in it, including inherited roles",
            "example": ["accountant"],
        },
    )
    permissions = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "what these roles permit", "example": ["invoices:read"]},
    )


class OwnSessionSchema(SessionSchema):
    """One of your own sign-ins."""

    current = fields.Boolean(
        required=True,
        metadata={"description": "whether it is the session of this request", "example": True},
    )


SessionListSchema = page_of("SessionListSchema", SessionSchema)


OwnSessionListSchema = page_of("OwnSessionListSchema", OwnSessionSchema)


class RefreshTokenSchema(ma.Schema):
    """The record of a refresh token; the token itself is not stored."""

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


RefreshTokenListSchema = page_of("RefreshTokenListSchema", RefreshTokenSchema)


class SessionFilter(Body):
    """Filters for sessions: the same for listing them and for ending them."""

    state = fields.String(
        validate=validate.OneOf((*STATES, "all")),
        metadata={"description": "default: active"},
    )
    user = Text(longest=128, shortest=1, metadata={"description": "a user's id or username"})
    role = RoleName(metadata={"description": "only sessions of users who effectively hold this role"})
    ip = Address(description="client address at sign-in")
    created_after = Moment(metadata={"description": "started after this time"})
    created_before = Moment(metadata={"description": "started before this time"})


_SHOWN = {
    "state": "active",
    "user": "ingrid.solberg",
    "role": "accountant",
    "ip": "203.0.113.7",
    "created_after": "2026-11-22T08:00:00Z",
    "created_before": "2026-11-22T17:00:00Z",
}


class SessionFilterSchema(SessionFilter):
    """The same filters in a body, with examples: in a query, Swagger UI would fill them in."""

    def on_bind_field(self, field_name: str, field_obj: Any) -> None:
        field_obj.metadata = {**field_obj.metadata, "example": _SHOWN[field_name]}


class SessionQuery(SessionFilter, PastPageQuery):
    """Which sessions, and which page of them."""


class SessionsRevocationSchema(Body):
    """Which sessions to end, how many there must be, and why."""

    filter = fields.Nested(
        SessionFilterSchema,
        required=True,
        metadata={
            "description": (
                'as in `GET /v1/sessions`, with at least one member; `{"state": "active"}` matches all '
                "active sessions"
            ),
            "minProperties": 1,
            "example": {"ip": "203.0.113.7"},
        },
    )
    expected_count = Whole(
        low=0,
        high=1 << 31,
        metadata={
            "description": "the number of active sessions that match; required unless `dry_run`",
            "example": 3,
        },
    )
    reason = Text(
        longest=1000,
        shortest=1,
        pattern=TEXT,
        metadata={"description": "for the trail; required unless `dry_run`", "example": "Laptop stolen"},
    )
    dry_run = Switch(
        load_default=False,
        metadata={"description": "`true` only counts and checks, and ends nothing", "example": False},
    )


class SessionsRevokedSchema(ma.Schema):
    """How many sessions ended, or would have ended."""

    count = fields.Integer(required=True, metadata={"example": 3})
    dry_run = fields.Boolean(required=True, metadata={"example": False})
