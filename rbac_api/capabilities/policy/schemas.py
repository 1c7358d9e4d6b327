"""Schemas of policies and plans for the OpenAPI document. ``GET /schemas/policy.json`` describes documents in
more detail."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields

from rbac_api.capabilities.constraints.schemas import ViolationSchema
from rbac_api.capabilities.policy.in_use import USED_WITHIN_DAYS
from rbac_api.capabilities.policy.schemas_document import PolicyRoleSchema
from rbac_api.capabilities.sessions.schemas import UserReferenceSchema
from rbac_api.decision.model import ROOT
from rbac_api.web.fields import Body, Count, DomainName, Flag, Whole
from rbac_api.web.requests.as_of import AtQuery


class PolicyDomainQuery(Body):
    """The domain that the document is of."""

    domain = DomainName(
        load_default=ROOT,
        metadata={"description": "the domain that the policy is of; everything outside it stays as it is"},
    )


class PolicyExportQuery(AtQuery, PolicyDomainQuery):
    """When, and of which domain."""


class PolicyQuery(PolicyDomainQuery):
    """Whether entries that are missing in the document are removed, and which uses count."""

    prune = Flag(
        load_default=False,
        metadata={
            "description": (
                "`true` removes what the document does not list, within the sections it contains; never "
                "built-in entries"
            )
        },
    )
    used_within = Count(
        low=1,
        high=3650,
        load_default=USED_WITHIN_DAYS,
        metadata={"description": "days in which a use counts, besides today"},
    )


class PolicyApplyQuery(PolicyQuery):
    """The same, and whether to take away what is in use."""

    even_if_used = Flag(
        load_default=False,
        metadata={"description": "`true` applies it although it takes away what was used lately"},
    )


class PolicyRevertSchema(Body):
    """Which policy to revert."""

    seq = Whole(
        required=True,
        low=1,
        high=2**63 - 1,
        metadata={"description": "the `seq` that POST /v1/policy/apply returned", "example": 42},
    )


class RoleSuggestionSchema(ma.Schema):
    """A policy with one role, cut to what was used of it."""

    roles = fields.List(fields.Nested(PolicyRoleSchema), required=True)


class PolicyPartsSchema(ma.Schema):
    """Entries by kind; a changed one has `before` and `after`, a changed role also `granted` and
    `withdrawn`."""

    domains = fields.List(
        fields.Dict(metadata={"example": {"name": "acme", "title": None, "description": ""}}), required=True
    )
    permissions = fields.List(
        fields.Dict(metadata={"example": {"name": "tea:brew", "description": "Brew tea."}}), required=True
    )
    roles = fields.List(
        fields.Dict(
            metadata={"example": {"name": "brewer", "description": "Brews.", "permissions": ["tea:brew"]}}
        ),
        required=True,
    )
    inheritance = fields.List(
        fields.Dict(metadata={"example": {"role": "buyer", "inherits": "employee"}}), required=True
    )
    constraints = fields.List(
        fields.Dict(
            metadata={
                "example": {"name": "apart", "kind": "static", "roles": ["brewer", "taster"], "limit": 2}
            }
        ),
        required=True,
    )
    assignments = fields.List(
        fields.Dict(metadata={"example": {"user": "dave", "role": "buyer", "mode": "active"}}), required=True
    )


class PolicyEffectSchema(ma.Schema):
    """A user or service account, and which permissions it gains or loses."""

    user = fields.Nested(
        UserReferenceSchema,
        required=True,
        allow_none=True,
        metadata={"description": "null for a caller without `users:read`"},
    )
    domain = fields.String(
        metadata={"description": "where; absent: at `root`, everywhere", "example": "acme"}
    )
    permissions = fields.List(fields.String(), required=True, metadata={"example": ["invoices:approve"]})


class PolicyUseSchema(ma.Schema):
    """A permission that would be taken away from a user or service account, and how it was used."""

    user = fields.Nested(
        UserReferenceSchema,
        required=True,
        allow_none=True,
        metadata={"description": "null for a caller without `users:read`"},
    )
    permission = fields.String(required=True, metadata={"example": "invoices:approve"})
    last_used = fields.DateTime(required=True, metadata={"example": "2026-11-03T08:12:44.031000Z"})
    times = fields.Integer(required=True, metadata={"description": "in those days", "example": 128})


class PolicyRefusalSchema(ma.Schema):
    """A step that a guard refuses."""

    step = fields.String(required=True, metadata={"example": "permission.grant approver payments:release"})
    code = fields.String(required=True, metadata={"example": "escalation.denied"})
    detail = fields.String(
        required=True,
        metadata={"example": "This grants payments:release, which you do not hold."},
    )
    missing = fields.List(fields.String(), metadata={"example": ["payments:release"]})
    required = fields.String(metadata={"example": "roles:update"})


class PolicyPlanSchema(ma.Schema):
    """What applying the policy would do."""

    created = fields.Nested(PolicyPartsSchema, required=True)
    changed = fields.Nested(PolicyPartsSchema, required=True)
    removed = fields.Nested(PolicyPartsSchema, required=True)
    gains = fields.List(
        fields.Nested(PolicyEffectSchema), required=True, metadata={"description": "the first 10,000"}
    )
    losses = fields.List(
        fields.Nested(PolicyEffectSchema), required=True, metadata={"description": "the first 10,000"}
    )
    in_use = fields.List(
        fields.Nested(PolicyUseSchema),
        required=True,
        metadata={
            "description": (
                "what is taken away and was used in the last `used_within` days (30 for a revert), by day "
                "(UTC); the first 10,000"
            )
        },
    )
    violations = fields.List(fields.Nested(ViolationSchema), required=True)
    refusals = fields.List(fields.Nested(PolicyRefusalSchema), required=True)
    sessions_stale = fields.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": (
                "active sessions whose tokens would carry outdated roles; null for a caller without "
                "`sessions:read`"
            ),
            "example": 2,
        },
    )
    summary = fields.String(required=True, metadata={"example": "3 to add, 1 to change, 0 to remove"})
    hash = fields.String(
        required=True,
        metadata={"description": "SHA-256 of the planned changes and the revision", "example": "9f" * 32},
    )


class PolicyAppliedSchema(PolicyPlanSchema):
    """What was done."""

    seq = fields.Integer(
        required=True,
        allow_none=True,
        metadata={
            "description": "send this to POST /v1/policy/revert; null if nothing changed",
            "example": 42,
        },
    )
    revision = fields.String(
        required=True, metadata={"description": "the ETag of the policy now", "example": "42"}
    )
