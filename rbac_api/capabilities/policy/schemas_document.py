"""Schemas of policies as documents, for the OpenAPI document."""

from __future__ import annotations

from typing import get_args

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.decision.document_form import FORMS, MAX_ENTRIES
from rbac_api.decision.model import ConstraintKind, Grants, Mode
from rbac_api.web.fields import Body

EXAMPLE = """\
domains: []
permissions:
  - {name: "invoices:approve", description: Approve an invoice for payment.}
roles:
  - name: approver
    description: Approves invoices.
    permissions: ["invoices:approve"]
    inherits: []
constraints: []
assignments: []
"""
_MOMENT: dict[str, object] = {"format": "date-time", "example": "2030-06-30T22:00:00Z"}
_MOST = {"maxItems": MAX_ENTRIES}


def _said(section: str, key: str, example: object, **more: object) -> dict[str, object]:
    """What the document's own schema says about a member, for the OpenAPI document."""
    schema = {
        name: value
        for name, value in FORMS[section][key].schema.items()
        if name not in ("type", "items", "enum")
    }
    return {**schema, "example": example, **more}


def _names(section: str, key: str, example: list[str], *, required: bool = False) -> fields.List[str]:
    name = {word: value for word, value in FORMS[section][key].schema["items"].items() if word != "type"}
    return fields.List(fields.String(metadata=name), metadata=_said(section, key, example), required=required)


class PolicyDomainSchema(Body):
    """A domain in a policy."""

    name = fields.String(required=True, metadata=_said("domains", "name", "acme.eu"))
    title = fields.String(allow_none=True, metadata=_said("domains", "title", "Acme Europe"))
    description = fields.String(metadata=_said("domains", "description", "The customer Acme, in Europe."))


class PolicyPermissionSchema(Body):
    """A permission in a policy."""

    name = fields.String(required=True, metadata=_said("permissions", "name", "invoices:approve"))
    title = fields.String(allow_none=True, metadata=_said("permissions", "title", "Invoice.Approve.All"))
    description = fields.String(
        required=True, metadata=_said("permissions", "description", "Approve an invoice for payment.")
    )


class PolicyRoleSchema(Body):
    """A role in a policy."""

    name = fields.String(required=True, metadata=_said("roles", "name", "approver"))
    home = fields.String(metadata=_said("roles", "home", "root"))
    title = fields.String(allow_none=True, metadata=_said("roles", "title", "Rechnungsfreigabe"))
    description = fields.String(metadata=_said("roles", "description", "Approves invoices."))
    grants = fields.String(
        validate=validate.OneOf(get_args(Grants)),
        metadata={"description": "only for built-in roles", "example": "listed"},
    )
    requires_mfa = fields.Boolean(metadata={"description": "default: false", "example": False})
    permissions = _names("roles", "permissions", ["invoices:approve"])
    inherits = _names("roles", "inherits", [])


class PolicyConstraintSchema(Body):
    """A rule about roles in a policy."""

    name = fields.String(required=True, metadata=_said("constraints", "name", "pay-or-approve"))
    home = fields.String(metadata=_said("constraints", "home", "root"))
    kind = fields.String(
        required=True, validate=validate.OneOf(get_args(ConstraintKind)), metadata={"example": "static"}
    )
    roles = _names("constraints", "roles", ["approver", "payer"], required=True)
    limit = fields.Integer(allow_none=True, metadata=_said("constraints", "limit", 2))


class PolicyAssignmentSchema(Body):
    """Who has a role, and on which terms. Names a `user` or a `service_account`."""

    user = fields.String(metadata=_said("assignments", "user", "dave", description="a username"))
    service_account = fields.String(
        metadata=_said(
            "assignments", "service_account", "invoice-robot", description="a service account's name"
        )
    )
    role = fields.String(required=True, metadata=_said("assignments", "role", "approver"))
    domain = fields.String(
        metadata=_said("assignments", "domain", "root", description="where it counts; omitted: `root`")
    )
    reason = fields.String(metadata=_said("assignments", "reason", "Covers for Jonas"))
    starts_at = fields.String(
        allow_none=True, metadata={**_MOMENT, "description": "omitted or in the past: already started"}
    )
    expires_at = fields.String(allow_none=True, metadata={**_MOMENT, "description": "omitted: never"})
    mode = fields.String(validate=validate.OneOf(get_args(Mode)), metadata={"example": "active"})
    max_duration = fields.Integer(
        allow_none=True,
        metadata=_said("assignments", "max_duration", None, description="only with `mode: eligible`"),
    )


class PolicySchema(ma.Schema):
    """Domains, permissions, roles, rules about roles and assignments, sorted; without built-in entries."""

    domains = fields.List(fields.Nested(PolicyDomainSchema), required=True)
    permissions = fields.List(fields.Nested(PolicyPermissionSchema), required=True)
    roles = fields.List(fields.Nested(PolicyRoleSchema), required=True)
    constraints = fields.List(fields.Nested(PolicyConstraintSchema), required=True)
    assignments = fields.List(fields.Nested(PolicyAssignmentSchema), required=True)


class PolicyDocumentSchema(Body):
    """A policy as it is sent; every section may be missing."""

    domains = fields.List(fields.Nested(PolicyDomainSchema), metadata={"example": [], **_MOST})
    permissions = fields.List(fields.Nested(PolicyPermissionSchema), metadata={"example": [], **_MOST})
    roles = fields.List(fields.Nested(PolicyRoleSchema), metadata=_MOST)
    constraints = fields.List(fields.Nested(PolicyConstraintSchema), metadata={"example": [], **_MOST})
    assignments = fields.List(fields.Nested(PolicyAssignmentSchema), metadata={"example": [], **_MOST})
