"""Shapes of constraints, as the OpenAPI document has them."""

from __future__ import annotations

from collections.abc import Sequence

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.web.fields import ID, Body, NextCursor, RoleName, Total, Whole

KINDS = ("static", "dynamic", "max-holders", "requires")
MOST_ROLES, HIGHEST = 100, 1_000_000
_NAME = {"example": "pay-or-approve"}
_KIND = {
    "description": "`static`: nobody holds `limit` or more of the roles; `dynamic`: nobody has so many active in one session;"
    " `max-holders`: each of the roles has at most `limit` holders at any moment; `requires`: the first role is held only together with all"
    " the others",
    "example": "static",
}
_ROLES = {
    "description": "names; inherited roles count as held. Of `requires` the order matters",
    "example": ["invoice-approver", "payment-releaser"],
}
_LIMIT = {
    "description": "`static`, `dynamic`: from 2 up to the number of roles; `max-holders`: 1 or more; `requires`: none",
    "example": 2,
}


class ConstraintSchema(ma.Schema):
    """A rule about which roles may come together."""

    name = fields.String(required=True, metadata=_NAME)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS), metadata=_KIND)
    roles = fields.List(fields.String(), required=True, metadata=_ROLES)
    limit = fields.Integer(required=True, allow_none=True, metadata=_LIMIT)
    created_at = fields.DateTime(required=True)


class ConstraintListSchema(ma.Schema):
    """A page of constraints, by name."""

    items = fields.List(fields.Nested(ConstraintSchema), required=True)
    next = NextCursor()
    total = Total()


class Unlike(validate.Validator):
    """No name twice."""

    def __call__(self, value: Sequence[str]) -> Sequence[str]:
        if len(set(value)) < len(value):
            raise ma.ValidationError("Name each role once.")
        return value


class ConstraintCreateSchema(Body):
    """A new constraint."""

    name = RoleName(required=True, metadata=_NAME)
    kind = fields.String(required=True, validate=validate.OneOf(KINDS), metadata=_KIND)
    roles = fields.List(
        RoleName(),
        required=True,
        validate=[validate.Length(min=1, max=MOST_ROLES), Unlike()],
        metadata={**_ROLES, "uniqueItems": True},
    )
    limit = Whole(low=1, high=HIGHEST, allow_none=True, metadata=_LIMIT)


class BreakerSchema(ma.Schema):
    """Who breaks it."""

    id = fields.String(required=True, metadata=ID)
    username = fields.String(required=True, metadata={"example": "jonas"})


class ViolationSchema(ma.Schema):
    """A stretch of time in which a constraint is broken."""

    constraint = fields.String(required=True, metadata=_NAME)
    user = fields.Nested(
        BreakerSchema,
        required=True,
        allow_none=True,
        metadata={"description": "empty where too many people hold a role: then nobody in particular"},
    )
    roles = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "those held together; of `requires` the first and those that are missing",
            "example": ["invoice-approver", "payment-releaser"],
        },
    )
    since = fields.DateTime(
        required=True,
        data_key="from",
        metadata={"description": "this moment, if it began earlier", "example": "2026-11-23T08:00:00Z"},
    )
    until = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "empty: without an end", "example": None}
    )


class ViolationListSchema(ma.Schema):
    """A page of violations, by person."""

    items = fields.List(fields.Nested(ViolationSchema), required=True)
    next = NextCursor()
    total = Total()
