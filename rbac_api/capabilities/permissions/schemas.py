"""Shapes of permissions, as the OpenAPI document has them."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields

from rbac_api.web.fields import TEXT, Body, Flag, NextCursor, PermissionName, Text, Total


class PermissionSchema(ma.Schema):
    """Something that can be allowed."""

    name = fields.String(required=True, metadata={"example": "invoices:approve"})
    description = fields.String(required=True, metadata={"example": "Approve an invoice for payment."})
    system = fields.Boolean(
        required=True, metadata={"description": "true for this service's own permissions", "example": False}
    )
    created_at = fields.DateTime(required=True)


class PermissionListSchema(ma.Schema):
    """A page of permissions, by name."""

    items = fields.List(fields.Nested(PermissionSchema), required=True)
    next = NextCursor()
    total = Total()


class PermissionCreateSchema(Body):
    """A new permission."""

    name = PermissionName(required=True, metadata={"example": "reports:publish"})
    description = Text(
        required=True,
        shortest=1,
        longest=1000,
        pattern=TEXT,
        metadata={"example": "Publish the monthly report."},
    )


class PermissionDeleteQuery(Body):
    """How to delete."""

    force = Flag(
        load_default=False, metadata={"description": "`true` removes it from every role that holds it"}
    )
