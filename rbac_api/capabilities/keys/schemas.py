"""Schemas of keys, for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.web.fields import OptionalBody, Switch, page_of

KID = {"description": "RFC 7638 thumbprint", "example": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"}
STATES = ("next", "active", "retired", "withdrawn")


class KeySchema(ma.Schema):
    """A signing key, without any key material."""

    kid = fields.String(required=True, metadata=KID)
    algorithm = fields.String(required=True, metadata={"example": "EdDSA"})
    state = fields.String(
        required=True,
        validate=validate.OneOf(STATES),
        metadata={
            "description": (
                "next: published and will sign; active: signs; retired: only verifies; withdrawn: does "
                "neither"
            ),
            "example": "active",
        },
    )
    kept_in = fields.String(
        required=True, validate=validate.OneOf(("database", "settings")), metadata={"example": "database"}
    )
    created_at = fields.DateTime(required=True, allow_none=True)
    signs_from = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={
            "description": "published before that, signs from then on; null for a key from the settings"
        },
    )
    retired_at = fields.DateTime(required=True, allow_none=True, metadata={"example": None})
    withdrawn_at = fields.DateTime(required=True, allow_none=True, metadata={"example": None})
    verifies_until = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={
            "description": "when its last token expires; null while it signs or will sign",
            "example": None,
        },
    )


class RotationSchema(OptionalBody):
    """How soon the new key signs."""

    emergency = Switch(
        load_default=False,
        metadata={
            "description": "true: the new key signs at once, and keys that wait to sign never will; services "
            "that cache the public keys refuse its tokens until they read them again",
            "example": False,
        },
    )


KeyListSchema = page_of("KeyListSchema", KeySchema)
