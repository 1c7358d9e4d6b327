"""Schemas of explanations and of lists of holders, for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.capabilities.sessions.schemas import UserReferenceSchema
from rbac_api.decision.model import ROOT
from rbac_api.web.fields import (
    ID,
    Body,
    DomainName,
    Flag,
    Moment,
    PageQuery,
    PermissionName,
    RoleName,
    Text,
    page_of,
)
from rbac_api.web.requests.as_of import AS_OF, AtQuery, PastPageQuery

KINDS = ("assignment", "inherits", "permission")
_MODE = {"description": "`eligible`: effective only where activated", "example": "active"}
KIND_OF_SESSION = {
    "description": (
        "`false` asks about a session without a second factor, where roles with `requires_mfa` are not "
        "effective"
    )
}
PATHS = {
    "description": (
        "every path: an assignment, inheritance from role to role, and the role that holds the permission"
    )
}


class StepSchema(ma.Schema):
    """One step of a path: a role is assigned, a role inherits another, or a role holds the permission."""

    kind = fields.String(required=True, validate=validate.OneOf(KINDS), metadata={"example": "inherits"})
    role = fields.String(
        required=True,
        metadata={"description": "the assigned, inheriting or holding role", "example": "accountant"},
    )
    junior = fields.String(metadata={"description": "the role that it inherits", "example": "employee"})
    permission = fields.String(
        metadata={"description": "the permission that it holds", "example": "invoices:read"}
    )
    domain = fields.String(metadata={"description": "where the assignment counts", "example": "root"})
    mode = fields.String(validate=validate.OneOf(("active", "eligible")), metadata=_MODE)
    starts_at = fields.DateTime(metadata={"description": "when the assignment starts"})
    who = fields.Nested(
        UserReferenceSchema,
        required=True,
        allow_none=True,
        metadata={"description": "who made it; null for the system and the command line"},
    )
    when = fields.DateTime(required=True, metadata={"description": "when it was made"})
    why = fields.String(required=True, allow_none=True, metadata={"example": "Covers for Jonas until May"})
    until = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "when it ends, if that is known"}
    )


class ReasonSchema(ma.Schema):
    """A reason for a refusal."""

    code = fields.String(
        required=True,
        metadata={
            "description": (
                "`nothing-grants`, `expired`, `not-started`, `not-active`, `disabled` or `mfa`; for other "
                "refusals their problem code"
            ),
            "example": "expired",
        },
    )
    detail = fields.String(required=True, metadata={"example": "the assignment of accountant has expired"})


class AccessSchema(ma.Schema):
    """Whether an account may do something, and why."""

    decision = fields.Boolean(required=True, metadata={"example": True})
    second_factor = fields.Boolean(
        required=True,
        metadata={
            "description": "the kind of session that the answer is about: with a second factor, or without",
            "example": True,
        },
    )
    paths = fields.List(fields.List(fields.Nested(StepSchema)), required=True, metadata=PATHS)
    because = fields.List(
        fields.Nested(ReasonSchema),
        required=True,
        metadata={"description": "if denied: what prevents it"},
    )
    nearest = fields.List(
        fields.String(),
        required=True,
        metadata={
            "description": (
                "if denied: the smallest roles that would grant it and that you may assign, at most five"
            ),
            "example": [],
        },
    )
    truncated = fields.Boolean(
        required=True,
        metadata={"description": "whether there are more paths or reasons than listed", "example": False},
    )


class HeldPermissionSchema(ma.Schema):
    """A permission that an account has, and every path to it."""

    permission = fields.String(required=True, metadata={"example": "invoices:read"})
    paths = fields.List(fields.List(fields.Nested(StepSchema)), required=True, metadata=PATHS)
    truncated = fields.Boolean(
        required=True,
        metadata={"description": "whether there are more paths than listed", "example": False},
    )


HeldPermissionListSchema = page_of("HeldPermissionListSchema", HeldPermissionSchema)


class DecisionSchema(AccessSchema):
    """A refusal, explained with the state of its time."""

    id = fields.String(required=True, metadata=ID)
    seq = fields.Integer(
        required=True, metadata={"description": "number of its event in the audit trail", "example": 186}
    )
    at = fields.DateTime(required=True)
    user = fields.Nested(
        UserReferenceSchema, required=True, allow_none=True, metadata={"description": "who was refused"}
    )
    session_id = fields.String(required=True, allow_none=True, metadata=ID)
    method = fields.String(required=True, metadata={"example": "POST"})
    path = fields.String(required=True, metadata={"example": "/v1/roles"})
    permission = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "the permission that was required", "example": "roles:create"},
    )
    role = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "the role that was required", "example": None},
    )
    domain = fields.String(required=True, metadata={"description": "where it was asked", "example": "root"})
    code = fields.String(required=True, metadata={"example": "access.denied"})
    detail = fields.String(required=True, metadata={"example": "You need the permission roles:create."})


class HolderSchema(ma.Schema):
    """An account that has a role or a permission."""

    user = fields.Nested(UserReferenceSchema, required=True)
    kind = fields.String(
        required=True, validate=validate.OneOf(("user", "service_account")), metadata={"example": "user"}
    )
    status = fields.String(
        required=True,
        validate=validate.OneOf(("active", "disabled", "deleted")),
        metadata={"example": "active"},
    )
    direct = fields.Boolean(
        required=True,
        metadata={
            "description": "true if assigned directly, false if inherited",
            "example": False,
        },
    )
    via = fields.List(
        fields.String(),
        required=True,
        metadata={"description": "the assigned roles it comes from", "example": ["chief-accountant"]},
    )
    mode = fields.String(required=True, validate=validate.OneOf(("active", "eligible")), metadata=_MODE)
    expires_at = fields.DateTime(
        required=True, allow_none=True, metadata={"description": "when the last of these assignments ends"}
    )


HolderListSchema = page_of("HolderListSchema", HolderSchema)


class ChangedPermissionSchema(ma.Schema):
    """A permission, and what caused its gain or loss."""

    permission = fields.String(required=True, metadata={"example": "invoices:read"})
    seq = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "the trail event that caused it; null if only time passed", "example": 186},
    )


class DiffSchema(ma.Schema):
    """What changed between two moments."""

    gained = fields.List(fields.Nested(ChangedPermissionSchema), required=True)
    lost = fields.List(fields.Nested(ChangedPermissionSchema), required=True)


class WhereQuery(Body):
    """Where a question is asked."""

    domain = DomainName(
        load_default=ROOT,
        metadata={"description": "what counts there: assignments at this domain and at those that it is in"},
    )


class HereQuery(Body):
    """Where a question of the caller is asked."""

    domain = DomainName(
        metadata={"description": "what counts there, in this session; default: the domain that it acts at"}
    )


class PermissionQuery(Body):
    """The permission to explain."""

    permission = PermissionName(required=True, metadata={"description": "such as `invoices:approve`"})


class MyAccessQuery(PermissionQuery, HereQuery):
    """The permission to explain, and where."""


class AccessQuery(PermissionQuery, WhereQuery, AtQuery):
    """The permission to explain, where, and a time."""


class UserAccessQuery(AccessQuery):
    """The permission to explain, a time, and the kind of session."""

    second_factor = Flag(load_default=True, metadata=KIND_OF_SESSION)


class PermissionsQuery(PastPageQuery, WhereQuery):
    """The time, and where."""


class MyPermissionsQuery(PastPageQuery, HereQuery):
    """The time, and where."""


class UserPermissionsQuery(PermissionsQuery):
    """The time, where, and the kind of session."""

    second_factor = Flag(load_default=True, metadata=KIND_OF_SESSION)


class MembersQuery(PageQuery, WhereQuery):
    """Which members to list."""

    effective = Flag(
        load_default=False,
        metadata={"description": "`true` adds those who inherit the role"},
    )
    at = Moment(metadata=AS_OF)


class HoldersQuery(PageQuery, WhereQuery):
    """Which holders to list."""

    eligible = Flag(
        load_default=False,
        metadata={"description": "`true` adds those who would first have to activate a role"},
    )
    at = Moment(metadata=AS_OF)


class DiffQuery(WhereQuery):
    """What to compare, where, and the two times; a role is the same at every domain."""

    from_ = Moment(required=True, data_key="from", metadata={"description": "the earlier time"})
    to = Moment(metadata={"description": "the later time; default: now"})
    user = Text(
        longest=128,
        shortest=1,
        metadata={
            "description": "a user's or service account's id or name; give exactly one of `user` and `role`"
        },
    )
    role = RoleName(metadata={"description": "a role's name; give exactly one of `user` and `role`"})
