"""Shapes of assignments, as the OpenAPI document has them."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.web.fields import ID, TEXT, OptionalBody, Text


class GiverSchema(ma.Schema):
    """Who gave it."""

    id = fields.String(required=True, metadata=ID)
    username = fields.String(required=True, metadata={"example": "admin"})


class AssignmentSchema(ma.Schema):
    """A role given to a user."""

    role = fields.String(required=True, metadata={"example": "accountant"})
    mode = fields.String(required=True, validate=validate.Equal("active"), metadata={"example": "active"})
    reason = fields.String(required=True, allow_none=True, metadata={"example": "Covers for Jonas until May"})
    starts_at = fields.DateTime(required=True)
    expires_at = fields.DateTime(required=True, allow_none=True, metadata={"example": None})
    assigned_at = fields.DateTime(required=True)
    assigned_by = fields.Nested(
        GiverSchema,
        required=True,
        allow_none=True,
        metadata={"description": "empty for the system and the command line"},
    )


class EffectiveRoleSchema(ma.Schema):
    """A role somebody effectively has."""

    role = fields.String(required=True, metadata={"example": "employee"})
    via = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "the assigned roles it comes through", "example": ["accountant"]},
    )


class UserRolesSchema(ma.Schema):
    """What a user holds."""

    direct = fields.List(fields.Nested(AssignmentSchema), required=True)
    effective = fields.List(fields.Nested(EffectiveRoleSchema), required=True)


class AssignSchema(OptionalBody):
    """Why."""

    reason = Text(longest=1000, pattern=TEXT, metadata={"example": "Covers for Jonas until May"})
