"""Schemas of assignments, for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.capabilities.assignments.terms import MAX_ACTIVATION_SECONDS, MIN_ACTIVATION_SECONDS
from rbac_api.capabilities.sessions.schemas import UserReferenceSchema
from rbac_api.web.fields import TEXT, Moment, OptionalBody, Text, Whole

MODES = ("active", "eligible")


class AssignmentSchema(ma.Schema):
    """A role assigned to a user."""

    role = fields.String(required=True, metadata={"example": "accountant"})
    mode = fields.String(
        required=True,
        validate=validate.OneOf(MODES),
        metadata={"description": "`eligible` grants nothing until activated", "example": "active"},
    )
    reason = fields.String(required=True, allow_none=True, metadata={"example": "Covers for Jonas until May"})
    starts_at = fields.DateTime(required=True)
    expires_at = fields.DateTime(required=True, allow_none=True, metadata={"example": None})
    max_duration = fields.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "maximum seconds per activation; null: the configured default",
            "example": None,
        },
    )
    assigned_at = fields.DateTime(required=True)
    assigned_by = fields.Nested(
        UserReferenceSchema,
        required=True,
        allow_none=True,
        metadata={"description": "null for the system and the command line"},
    )


class EffectiveRoleSchema(ma.Schema):
    """A role that a user effectively has."""

    role = fields.String(required=True, metadata={"example": "employee"})
    via = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "the assigned roles it comes from", "example": ["accountant"]},
    )


class UserRolesSchema(ma.Schema):
    """What a user holds."""

    direct = fields.List(fields.Nested(AssignmentSchema), required=True)
    effective = fields.List(fields.Nested(EffectiveRoleSchema), required=True)
    permissions = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "the effective permissions",
            "example": ["expenses:submit", "invoices:read"],
        },
    )


class AssignSchema(OptionalBody):
    """Why, from when until when, and in which mode. Omitted fields stay as they are."""

    reason = Text(
        longest=1000, pattern=TEXT, allow_none=True, metadata={"example": "Covers for Jonas until May"}
    )
    starts_at = Moment(allow_none=True, metadata={"description": "defaults to now", "example": None})
    expires_at = Moment(
        allow_none=True,
        metadata={"description": "when it ends; null for no end", "example": None},
    )
    mode = fields.String(
        validate=validate.OneOf(MODES),
        metadata={
            "description": "`eligible` grants nothing until activated with `PUT /v1/me/activations/{role}`",
            "example": "active",
        },
    )
    max_duration = Whole(
        low=MIN_ACTIVATION_SECONDS,
        high=MAX_ACTIVATION_SECONDS,
        allow_none=True,
        metadata={
            "description": "with `eligible`: maximum seconds per activation",
            "example": None,
        },
    )
