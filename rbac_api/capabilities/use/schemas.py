"""Schemas of what is said about the use of permissions."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.capabilities.sessions.schemas import UserReferenceSchema
from rbac_api.capabilities.use.windows import DEFAULT_DAYS, GRANULARITY
from rbac_api.web.fields import Body, Moment, PageQuery, PageSchema

_SINCE = {
    "description": f"count uses from the day of this past time on (UTC); default: {DEFAULT_DAYS} days ago"
}
_PERMISSION = {"example": "invoices:approve"}
_LAST_USED = {"example": "2026-11-03T08:12:44.031000Z"}


class UseQuery(PageQuery):
    """Since when, and the paging arguments."""

    since = Moment(metadata=_SINCE)


class SinceQuery(Body):
    """Since when."""

    since = Moment(metadata=_SINCE)


class UseWindowSchema(ma.Schema):
    """The time that an answer is about; uses of the last minute may be missing."""

    since = fields.DateTime(
        required=True, metadata={"description": "the beginning of the first day that counts"}
    )
    until = fields.DateTime(required=True)
    recorded_since = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={
            "description": (
                "the beginning of the first day of which any use is kept: what was used before looks "
                "unused; null if none is kept"
            )
        },
    )


class UsePageSchema(PageSchema):
    """A page of a list about use, and the time that it is about."""

    window = fields.Nested(UseWindowSchema, required=True)
    granularity = fields.String(
        required=True, validate=validate.OneOf([GRANULARITY]), metadata={"example": GRANULARITY}
    )


class UnusedPermissionSchema(ma.Schema):
    """A permission that an account holds and did not use."""

    permission = fields.String(required=True, metadata=_PERMISSION)
    via = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "the assigned roles that grant it", "example": ["approver"]},
    )
    last_used = fields.DateTime(
        required=True,
        allow_none=True,
        metadata={"description": "the last use before the window; null if none is kept", **_LAST_USED},
    )


class UnusedPermissionListSchema(UsePageSchema):
    """A page of unused permissions of an account, by name."""

    items = fields.List(fields.Nested(UnusedPermissionSchema), required=True)


class UnusedRolePermissionSchema(ma.Schema):
    """A permission of a role that no holder of the role used."""

    permission = fields.String(required=True, metadata=_PERMISSION)
    direct = fields.Boolean(
        required=True, metadata={"description": "`false` if the role inherits it", "example": True}
    )


class UnusedRolePermissionListSchema(UsePageSchema):
    """A page of unused permissions of a role, by name."""

    items = fields.List(fields.Nested(UnusedRolePermissionSchema), required=True)


class PermissionUseSchema(ma.Schema):
    """How often an account used a permission."""

    user = fields.Nested(UserReferenceSchema, required=True)
    kind = fields.String(
        required=True, validate=validate.OneOf(["user", "service_account"]), metadata={"example": "user"}
    )
    times = fields.Integer(required=True, metadata={"description": "in the window", "example": 128})
    days = fields.Integer(
        required=True, metadata={"description": "on how many days of the window", "example": 19}
    )
    last_used = fields.DateTime(required=True, metadata=_LAST_USED)


class PermissionUseListSchema(UsePageSchema):
    """A page of accounts that used a permission, in the order in which they were created."""

    items = fields.List(fields.Nested(PermissionUseSchema), required=True)
