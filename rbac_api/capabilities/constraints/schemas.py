"""Schemas of constraints, for the OpenAPI document."""

from __future__ import annotations

from collections.abc import Sequence

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.capabilities.sessions.schemas import UserReferenceSchema
from rbac_api.web.fields import Body, ConstraintName, DomainName, RoleName, Whole, page_of

KINDS = ("static", "dynamic", "max-holders", "requires")
MAX_ROLES, MAX_LIMIT = 100, 1_000_000
_NAME = {"example": "buy-or-pay"}
_KIND = {
    "description": (
        "`static`: no user has `limit` or more of the roles; `dynamic`: no session has that many of them "
        "active; `max-holders`: each of the roles has at most `limit` holders at any moment; `requires`: "
        "the first role is held only together with all the others"
    ),
    "example": "static",
}
_ROLES = {
    "description": "role names; inherited roles count. For `requires` the order matters",
    "example": ["buyer", "treasurer"],
}
_LIMIT = {
    "description": (
        "`static`, `dynamic`: from 2 up to the number of roles; `max-holders`: 1 or more; `requires`: none"
    ),
    "example": 2,
}


class ConstraintSchema(ma.Schema):
    """A rule about which roles may come together."""

    name = fields.String(required=True, metadata=_NAME)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS), metadata=_KIND)
    roles = fields.List(fields.String(), required=True, metadata=_ROLES)
    limit = fields.Integer(required=True, allow_none=True, metadata=_LIMIT)
    home = fields.String(
        required=True,
        metadata={"description": "the domain that the name ends with", "example": "root"},
    )
    created_at = fields.DateTime(required=True)


ConstraintListSchema = page_of("ConstraintListSchema", ConstraintSchema)


class Unlike(validate.Validator):
    """A validator: no name twice."""

    def __call__(self, value: Sequence[str]) -> Sequence[str]:
        if len(set(value)) < len(value):
            raise ma.ValidationError("Name each role once.")
        return value


class ConstraintCreateSchema(Body):
    """A new constraint."""

    name = ConstraintName(required=True, metadata=_NAME)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS), metadata=_KIND)
    roles = fields.List(
        RoleName(),
        required=True,
        validate=[validate.Length(min=1, max=MAX_ROLES), Unlike()],
        metadata={**_ROLES, "uniqueItems": True},
    )
    limit = Whole(low=1, high=MAX_LIMIT, allow_none=True, metadata=_LIMIT)
    home = DomainName(
        metadata={
            "description": (
                "the domain whose administrators decide about it; if absent, the one that the name ends with,"
                " or else that of the session. It is about roles at home there and below"
            ),
            "example": "root",
        }
    )


class ViolationSchema(ma.Schema):
    """A period in which a constraint is violated."""

    constraint = fields.String(required=True, metadata=_NAME)
    user = fields.Nested(
        UserReferenceSchema,
        required=True,
        allow_none=True,
        metadata={
            "description": (
                "null for `max-holders`, which is about no single user, and for a caller without `users:read`"
            )
        },
    )
    roles = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "the roles held together; for `requires` the first role and the missing ones",
            "example": ["buyer", "treasurer"],
        },
    )
    domain = fields.String(
        required=True, metadata={"description": "where the roles come together", "example": "root"}
    )
    since = fields.DateTime(
        required=True,
        data_key="from",
        metadata={
            "description": "when the violation starts; now if it started earlier",
            "example": "2026-11-23T08:00:00Z",
        },
    )
    until = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "null for no end", "example": None}
    )


ViolationListSchema = page_of("ViolationListSchema", ViolationSchema)
