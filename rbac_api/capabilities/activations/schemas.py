"""Schemas of activations, for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.web.fields import TEXT, Body, Text, Whole, page_of

MAX_ACTIVATION_SECONDS = 86400


class ActivationSchema(ma.Schema):
    """A role that is active in this session, or that you could activate."""

    role = fields.String(required=True, metadata={"example": "payment-releaser"})
    mode = fields.String(
        required=True,
        validate=validate.OneOf(("active", "eligible")),
        metadata={"description": "`eligible`: effective only while activated", "example": "eligible"},
    )
    active = fields.Boolean(
        required=True, metadata={"description": "in this session, right now", "example": True}
    )
    until = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "when the activation ends", "example": None},
    )
    reason = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "the reason given when it was activated", "example": "Month-end payments"},
    )
    max_duration = fields.Integer(
        required=True, metadata={"description": "maximum seconds per activation", "example": 28800}
    )
    expires_at = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "when the assignment ends", "example": None},
    )


ActivationListSchema = page_of("ActivationListSchema", ActivationSchema)


class ActivateSchema(Body):
    """For how long, and why."""

    duration = Whole(
        low=1,
        high=MAX_ACTIVATION_SECONDS,
        required=True,
        metadata={"description": "seconds; at most `max_duration` of the role", "example": 3600},
    )
    reason = Text(
        required=True,
        shortest=1,
        longest=1000,
        pattern=TEXT,
        metadata={"description": "for the trail", "example": "Month-end payments"},
    )
