"""Shapes of keys, as the OpenAPI document has them."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.web.fields import NextCursor, Total

KID = {"description": "RFC 7638 thumbprint", "example": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"}
STATES = ("active", "retired", "withdrawn")


class KeySchema(ma.Schema):
    """A signing key, without any part of it."""

    kid = fields.String(required=True, metadata=KID)
    algorithm = fields.String(required=True, metadata={"example": "EdDSA"})
    state = fields.String(
        required=True,
        validate=validate.OneOf(STATES),
        metadata={
            "description": "active: signs (one per algorithm); retired: only verifies; withdrawn: does neither",
            "example": "active",
        },
    )
    kept_in = fields.String(
        required=True, validate=validate.OneOf(("database", "settings")), metadata={"example": "database"}
    )
    created_at = fields.DateTime(required=True, allow_none=True)
    retired_at = fields.DateTime(required=True, allow_none=True, metadata={"example": None})
    withdrawn_at = fields.DateTime(required=True, allow_none=True, metadata={"example": None})
    verifies_until = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "when its last token expires; null while it signs", "example": None},
    )


class KeyListSchema(ma.Schema):
    """A page of keys, newest first."""

    items = fields.List(fields.Nested(KeySchema), required=True)
    next = NextCursor()
    total = Total()
