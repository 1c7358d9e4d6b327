"""Schemas of assignments, for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.capabilities.assignments.terms import MAX_ACTIVATION_SECONDS, MIN_ACTIVATION_SECONDS
from rbac_api.capabilities.sessions.schemas import UserReferenceSchema
from rbac_api.decision.model import ROOT
from rbac_api.web.fields import (
    TEXT,
    Body,
    DomainName,
    Flag,
    Moment,
    OptionalBody,
    PageQuery,
    RoleName,
    Text,
    Whole,
    page_of,
)
from rbac_api.web.requests.as_of import AS_OF, AtQuery

MODES = ("active", "eligible")
STATES = ("current", "scheduled", "ended", "all")


class AssignmentSchema(ma.Schema):
    """A role assigned to a user."""

    role = fields.String(required=True, metadata={"example": "accountant"})
    domain = fields.String(
        required=True,
        metadata={"description": "where it counts: there, and in every domain below", "example": "root"},
    )
    mode = fields.String(
        required=True,
        validate=validate.OneOf(MODES),
        metadata={"description": "`eligible` grants nothing until activated", "example": "active"},
    )
    reason = fields.String(required=True, allow_none=True, metadata={"example": "Covers for Jonas until May"})
    starts_at = fields.DateTime(required=True)
    expires_at = fields.DateTime(required=True, allow_none=True, metadata={"example": None})
    max_duration = fields.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "maximum seconds per activation; null: the configured default",
            "example": None,
        },
    )
    assigned_at = fields.DateTime(required=True)
    assigned_by = fields.Nested(
        UserReferenceSchema,
        required=True,
        allow_none=True,
        metadata={"description": "null for the system and the command line"},
    )


class ListedAssignmentSchema(AssignmentSchema):
    """An assignment in the list of all, with the account that has it."""

    user = fields.Nested(UserReferenceSchema, required=True, metadata={"description": "who has the role"})
    kind = fields.String(
        required=True, validate=validate.OneOf(("user", "service_account")), metadata={"example": "user"}
    )
    state = fields.String(
        required=True, validate=validate.OneOf(STATES[:-1]), metadata={"example": "current"}
    )


AssignmentListSchema = page_of("AssignmentListSchema", ListedAssignmentSchema)


class AssignmentQuery(PageQuery):
    """Filters for assignments."""

    user = Text(
        longest=128,
        shortest=1,
        metadata={"description": "id or name of the user or service account that has the role"},
    )
    role = RoleName(metadata={"description": "the assigned role; inherited roles are not looked at"})
    domain = DomainName(metadata={"description": "where it was assigned; no domain above or below"})
    mode = fields.String(validate=validate.OneOf(MODES), metadata={"description": "how it counts"})
    state = fields.String(
        validate=validate.OneOf(STATES),
        load_default="current",
        metadata={
            "description": (
                "`current`: counts now; `scheduled`: starts later; `ended`: over, revoked or withdrawn"
            )
        },
    )
    expires_before = Moment(metadata={"description": "ends before this time"})
    without_reason = Flag(metadata={"description": "`true`: made without a reason; `false`: made with one"})
    assigned_by = Text(
        longest=128, shortest=1, metadata={"description": "id or name of the account that made it"}
    )
    at = Moment(metadata=AS_OF)


class EffectiveRoleSchema(ma.Schema):
    """A role that a user effectively has."""

    role = fields.String(required=True, metadata={"example": "employee"})
    via = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "the assigned roles it comes from", "example": ["accountant"]},
    )


class UserRolesSchema(ma.Schema):
    """What a user holds."""

    direct = fields.List(fields.Nested(AssignmentSchema), required=True)
    effective = fields.List(fields.Nested(EffectiveRoleSchema), required=True)
    permissions = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "the effective permissions",
            "example": ["expenses:submit", "invoices:read"],
        },
    )


class RefusalSchema(ma.Schema):
    """Why an assignment would be refused."""

    code = fields.String(
        required=True,
        metadata={
            "description": (
                "the problem code of the refusal: `access.denied`, `signin.too_old`, `escalation.denied`, "
                "`target.stronger` or `constraint.violated`"
            ),
            "example": "escalation.denied",
        },
    )
    detail = fields.String(
        required=True, metadata={"example": "This grants payments:release, which you do not hold."}
    )


class AvailableRoleSchema(ma.Schema):
    """A role, and whether you may assign it to the user."""

    role = fields.String(required=True, metadata={"example": "treasurer"})
    may = fields.Boolean(required=True, metadata={"example": False})
    because = fields.List(
        fields.Nested(RefusalSchema),
        required=True,
        metadata={"description": "what prevents it, the refusal that would be answered first"},
    )
    missing = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": "the permissions for the want of which it would be refused",
            "example": ["payments:release"],
        },
    )


AvailableRoleListSchema = page_of("AvailableRoleListSchema", AvailableRoleSchema)


class PlaceQuery(Body):
    """Which assignment of the role."""

    domain = DomainName(load_default=ROOT, metadata={"description": "the domain that it was assigned at"})


class RolesQuery(AtQuery):
    """Where, and when."""

    domain = DomainName(
        load_default=ROOT,
        metadata={"description": "the effective roles and the permissions at this domain"},
    )


class AvailableRolesQuery(PageQuery):
    """Where to assign."""

    domain = DomainName(load_default=ROOT, metadata={"description": "the domain to assign the role at"})


class AssignSchema(OptionalBody):
    """Where, why, from when until when, and in which mode. Omitted fields stay as they are."""

    domain = DomainName(
        metadata={
            "description": "where it counts: there, and in every domain below; default: `root`."
            " A role at two domains is two assignments",
            "example": "root",
        }
    )
    reason = Text(
        longest=1000, pattern=TEXT, allow_none=True, metadata={"example": "Covers for Jonas until May"}
    )
    starts_at = Moment(allow_none=True, metadata={"description": "defaults to now", "example": None})
    expires_at = Moment(
        allow_none=True,
        metadata={"description": "when it ends; null for no end", "example": None},
    )
    mode = fields.String(
        validate=validate.OneOf(MODES),
        metadata={
            "description": "`eligible` grants nothing until activated with `PUT /v1/me/activations/{role}`",
            "example": "active",
        },
    )
    max_duration = Whole(
        low=MIN_ACTIVATION_SECONDS,
        high=MAX_ACTIVATION_SECONDS,
        allow_none=True,
        metadata={
            "description": "with `eligible`: maximum seconds per activation",
            "example": None,
        },
    )
