"""Schemas of the role graph, for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.capabilities.sessions.schemas import UserReferenceSchema
from rbac_api.web.fields import Body, RoleName, Text


class GraphRoleSchema(ma.Schema):
    """A role and what it holds directly."""

    name = fields.String(required=True, metadata={"example": "bookkeeper"})
    requires_mfa = fields.Boolean(required=True, metadata={"example": False})
    permissions = fields.List(
        fields.String(), required=True, metadata={"description": "direct", "example": ["invoices:create"]}
    )


class InheritanceSchema(ma.Schema):
    """A role that inherits another one directly."""

    senior = fields.String(required=True, metadata={"example": "bookkeeper"})
    junior = fields.String(required=True, metadata={"description": "inherited", "example": "invoice-reader"})


class GraphAssignmentSchema(ma.Schema):
    """A role that the user was assigned, now or from a later time on."""

    role = fields.String(required=True, metadata={"example": "bookkeeper"})
    domain = fields.String(required=True, metadata={"description": "where it counts", "example": "root"})
    mode = fields.String(
        required=True, validate=validate.OneOf(("active", "eligible")), metadata={"example": "active"}
    )
    starts_at = fields.DateTime(required=True)
    expires_at = fields.DateTime(required=True, allow_none=True, metadata={"example": None})


class RoleGraphSchema(ma.Schema):
    """Roles, the inheritance among them, and the user's assignments if one was asked for."""

    roles = fields.List(fields.Nested(GraphRoleSchema), required=True)
    inheritance = fields.List(fields.Nested(InheritanceSchema), required=True)
    user = fields.Nested(UserReferenceSchema, required=True, allow_none=True)
    assignments = fields.List(fields.Nested(GraphAssignmentSchema), required=True)


class RoleGraphQuery(Body):
    """Which part of the graph; without either, all of it."""

    role = RoleName(
        metadata={"description": "only this role, the roles that inherit it, and what it inherits"}
    )
    user = Text(
        longest=128,
        shortest=1,
        metadata={"description": "a user's id or username: only what that user was assigned and inherits"},
    )
