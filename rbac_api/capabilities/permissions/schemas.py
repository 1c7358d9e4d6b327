"""Schemas of permissions, for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields

from rbac_api.web.fields import TEXT, Body, Flag, PermissionName, Text, Title, page_of

_TITLE = "Invoice.Approve.All"


class PermissionSchema(ma.Schema):
    """Something that can be allowed."""

    name = fields.String(required=True, metadata={"example": "invoices:approve"})
    title = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "the name that another system uses for it", "example": _TITLE},
    )
    description = fields.String(required=True, metadata={"example": "Approve an invoice for payment."})
    system = fields.Boolean(
        required=True, metadata={"description": "true for this service's own permissions", "example": False}
    )
    created_at = fields.DateTime(required=True)


PermissionListSchema = page_of("PermissionListSchema", PermissionSchema)


class PermissionCreateSchema(Body):
    """A new permission."""

    name = PermissionName(required=True, metadata={"example": "reports:publish"})
    title = Title(example="Report.Publish.All")
    description = Text(
        required=True,
        shortest=1,
        longest=1000,
        pattern=TEXT,
        metadata={"example": "Publish the monthly report."},
    )


class PermissionDeleteQuery(Body):
    """How to delete it."""

    force = Flag(
        load_default=False, metadata={"description": "`true` removes it from every role that holds it"}
    )
