"""Schemas of operation, for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields

# The key of RFC 8037, appendix A.
_THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
_X = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
_KEY = {"kty": "OKP", "kid": _THUMBPRINT, "use": "sig", "alg": "EdDSA", "crv": "Ed25519", "x": _X}


class HealthSchema(ma.Schema):
    """The process is up."""

    status = fields.String(required=True, metadata={"example": "ok"})
    version = fields.String(required=True, metadata={"example": "0.1.0"})


class CheckSchema(ma.Schema):
    """One condition of readiness."""

    name = fields.String(required=True, metadata={"example": "database"})
    ok = fields.Boolean(required=True, metadata={"example": True})
    detail = fields.String(required=True, metadata={"example": "answers"})


class ReadinessSchema(ma.Schema):
    """Whether requests can be served, and what is wrong if not."""

    ready = fields.Boolean(required=True, metadata={"example": True})
    checks = fields.List(fields.Nested(CheckSchema), required=True)


class JwkSchema(ma.Schema):
    """A public key, RFC 7517; its members depend on its kind."""

    class Meta:
        unknown = ma.INCLUDE

    kty = fields.String(required=True, metadata={"example": "OKP"})
    kid = fields.String(
        required=True, metadata={"description": "RFC 7638 thumbprint", "example": _THUMBPRINT}
    )
    use = fields.String(required=True, metadata={"example": "sig"})
    alg = fields.String(required=True, metadata={"example": "EdDSA"})
    crv = fields.String(metadata={"example": "Ed25519"})
    x = fields.String(metadata={"description": "OKP and EC keys", "example": _X})
    y = fields.String(metadata={"description": "EC keys", "example": _X})
    n = fields.String(metadata={"description": "RSA keys", "example": _X})
    e = fields.String(metadata={"description": "RSA keys", "example": "AQAB"})


class JwkSetSchema(ma.Schema):
    """The public keys that verify this service's tokens."""

    keys = fields.List(fields.Nested(JwkSchema), required=True, metadata={"example": [_KEY]})


class ProblemKindSchema(ma.Schema):
    """What a problem code means."""

    code = fields.String(required=True, metadata={"example": "access.denied"})
    title = fields.String(required=True, metadata={"example": "Permission missing"})
    status = fields.Integer(required=True, metadata={"example": 403})
    detail = fields.String(
        required=True,
        metadata={
            "description": "the usual explanation",
            "example": "You need the permission roles:create: none of your roles grants roles:create.",
        },
    )
