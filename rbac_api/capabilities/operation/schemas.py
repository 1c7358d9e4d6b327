"""Shapes of operation, as the OpenAPI document has them."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields


class HealthSchema(ma.Schema):
    """The process is up."""

    status = fields.String(required=True, metadata={"example": "ok"})
    version = fields.String(required=True, metadata={"example": "0.1.0"})


class CheckSchema(ma.Schema):
    """One thing that must be so."""

    name = fields.String(required=True, metadata={"example": "database"})
    ok = fields.Boolean(required=True)
    detail = fields.String(required=True, metadata={"example": "answers"})


class ReadinessSchema(ma.Schema):
    """Whether requests can be served, and what is not as it should be."""

    ready = fields.Boolean(required=True)
    checks = fields.List(fields.Nested(CheckSchema), required=True)


class JwkSchema(ma.Schema):
    """A public key, RFC 7517; which members there are depends on its kind."""

    class Meta:
        unknown = ma.INCLUDE

    kty = fields.String(required=True, metadata={"example": "OKP"})
    kid = fields.String(required=True, metadata={"description": "RFC 7638 thumbprint"})
    use = fields.String(required=True, metadata={"example": "sig"})
    alg = fields.String(required=True, metadata={"example": "EdDSA"})
    crv = fields.String(metadata={"example": "Ed25519"})
    x = fields.String()
    y = fields.String()
    n = fields.String()
    e = fields.String()


class JwkSetSchema(ma.Schema):
    """The public keys that verify this service's tokens."""

    keys = fields.List(fields.Nested(JwkSchema), required=True)


class ProblemKindSchema(ma.Schema):
    """What a problem code means."""

    code = fields.String(required=True, metadata={"example": "access.denied"})
    title = fields.String(required=True)
    status = fields.Integer(required=True, metadata={"example": 403})
    detail = fields.String(required=True, metadata={"description": "the usual explanation"})
