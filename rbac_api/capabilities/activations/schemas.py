"""Shapes of activations, as the OpenAPI document has them."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.web.fields import TEXT, Body, NextCursor, Text, Total, Whole

LONGEST = 86400


class ActivationSchema(ma.Schema):
    """A role that you could make active in this session, or that is."""

    role = fields.String(required=True, metadata={"example": "payment-releaser"})
    mode = fields.String(
        required=True,
        validate=validate.OneOf(("active", "eligible")),
        metadata={"description": "`eligible`: counts only while it is activated", "example": "eligible"},
    )
    active = fields.Boolean(
        required=True, metadata={"description": "in this session, at this moment", "example": True}
    )
    until = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "of one made active: when that ends", "example": None},
    )
    reason = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "of one made active", "example": "Month-end payments"},
    )
    max_duration = fields.Integer(
        required=True, metadata={"description": "seconds, at most, in one go", "example": 28800}
    )
    expires_at = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "when you can no more make it active", "example": None},
    )


class ActivationListSchema(ma.Schema):
    """A page of roles that could be active, by name."""

    items = fields.List(fields.Nested(ActivationSchema), required=True)
    next = NextCursor()
    total = Total()


class ActivateSchema(Body):
    """For how long, and why."""

    duration = Whole(
        low=1,
        high=LONGEST,
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
