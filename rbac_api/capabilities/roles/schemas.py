"""Schemas of roles, for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.web.fields import (
    TEXT,
    Body,
    DomainName,
    Flag,
    NamedQuery,
    PermissionName,
    RoleName,
    Switch,
    Text,
    Title,
    page_of,
)

_TITLE = "Rechnungsprüfung (SAP: Z_FI_AP_CLERK)"
_REQUIRES_MFA = {
    "description": "`true`: the role and all it inherits are effective only in sessions with a second factor",
    "example": False,
}


class RoleSchema(ma.Schema):
    """A role: what it holds directly, what it inherits, and the effective permissions."""

    name = fields.String(required=True, metadata={"example": "accountant"})
    title = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "the name that another system uses for it", "example": _TITLE},
    )
    description = fields.String(required=True, metadata={"example": "Keeps the books."})
    home = fields.String(
        required=True,
        metadata={
            "description": "the domain that the name ends with: where the role can be assigned, and below",
            "example": "root",
        },
    )
    system = fields.Boolean(
        required=True,
        metadata={
            "description": "built in: cannot be deleted, and only `requires_mfa` can be changed",
            "example": False,
        },
    )
    requires_mfa = fields.Boolean(
        required=True,
        metadata={
            "description": (
                "if true, the role and all it inherits are effective only in sessions with a second factor"
            ),
            "example": False,
        },
    )
    permissions = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "held directly", "example": ["invoices:read"]},
    )
    inherits = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "roles inherited directly", "example": ["employee"]},
    )
    effective_permissions = fields.List(
        fields.String(), required=True, metadata={"example": ["expenses:submit", "invoices:read"]}
    )
    created_at = fields.DateTime(required=True)
    updated_at = fields.DateTime(required=True)


RoleListSchema = page_of("RoleListSchema", RoleSchema)


class RoleCreateSchema(Body):
    """A new role."""

    name = RoleName(required=True, metadata={"example": "invoice-clerk"})
    title = Title(example=_TITLE)
    description = Text(longest=1000, pattern=TEXT, metadata={"example": "Reads invoices."})
    home = DomainName(
        metadata={
            "description": (
                "the domain where the role can be assigned, and below; if absent, the one that the name ends"
                " with, or else that of the session"
            ),
            "example": "root",
        }
    )
    requires_mfa = Switch(metadata=_REQUIRES_MFA)
    permissions = fields.List(
        PermissionName(), validate=validate.Length(max=500), metadata={"example": ["invoices:read"]}
    )


class RolePatchSchema(Body):
    """The fields of a role that can change; its permissions and inheritance are resources of their own."""

    title = Title(example=_TITLE)
    description = Text(
        longest=1000,
        pattern=TEXT,
        metadata={"example": "Reads the invoices of one department."},
    )
    requires_mfa = Switch(metadata=_REQUIRES_MFA)


class RoleDeleteQuery(Body):
    """How to delete it."""

    force = Flag(load_default=False, metadata={"description": "`true` revokes the role from all its holders"})


class RoleQuery(NamedQuery):
    """Filters for roles."""

    permission = PermissionName(metadata={"description": "only roles that hold this permission directly"})
    effective = Flag(
        metadata={"description": "with `permission`: `true` adds roles that inherit it"},
    )
