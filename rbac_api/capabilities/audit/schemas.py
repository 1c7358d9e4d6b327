"""Schemas of the trail, for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.trail.events import CATALOGUE
from rbac_api.web.fields import (
    ID,
    Address,
    Body,
    Count,
    DomainName,
    Moment,
    PageQuery,
    RoleName,
    Text,
    page_of,
)

_ERASED = {
    "type": "object",
    "properties": {"erased": {"const": True}},
    "required": ["erased"],
    "additionalProperties": False,
}
_PERSONAL = {"oneOf": [{"type": "string"}, _ERASED, {"type": "null"}]}
_UUID = "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$"
MAX_SEQ = 10**18 - 1
OUTCOMES = ("success", "refused", "failure")


class ActorSchema(ma.Schema):
    """Who did it: a user, a service account, the operator at a shell, the system, or an unknown actor."""

    type = fields.String(
        required=True,
        validate=validate.OneOf(("user", "service", "operator", "system", "anonymous")),
        metadata={"example": "user"},
    )
    id = fields.String(required=True, allow_none=True, metadata={"example": ID["example"]})
    name = fields.Raw(
        required=True, metadata={**_PERSONAL, "description": "name at the time", "example": "admin"}
    )


class TargetSchema(ma.Schema):
    """The object of the action."""

    type = fields.String(required=True, allow_none=True, metadata={"example": "user"})
    id = fields.String(required=True, allow_none=True, metadata={"example": ID["example"]})
    name = fields.Raw(
        required=True, metadata={**_PERSONAL, "description": "name at the time", "example": "ingrid.solberg"}
    )


class DigestSchema(ma.Schema):
    """The digest of a personal value of an event: SHA-256 of the salt's bytes and the value in UTF-8."""

    digest = fields.String(required=True, metadata={"example": "7d0e" * 16})
    salt = fields.String(
        metadata={"description": "16 bytes in hexadecimal; absent: erased", "example": "5b3c" * 8}
    )


class AuditEventSchema(ma.Schema):
    """Something that happened. `hash` covers every other field and the hash of the event before it.

    Of a personal value it covers the digest in `personal`. An erased value is `{"erased": true}`.
    """

    seq = fields.Integer(required=True, metadata={"example": 42})
    at = fields.DateTime(required=True)
    actor = fields.Nested(ActorSchema, required=True)
    session_id = fields.String(required=True, allow_none=True, metadata=ID)
    action = fields.String(required=True, metadata={"example": "assignment.created"})
    target = fields.Nested(TargetSchema, required=True)
    outcome = fields.String(required=True, validate=validate.OneOf(OUTCOMES), metadata={"example": "success"})
    reason = fields.String(required=True, allow_none=True, metadata={"example": "Covers for Jonas until May"})
    before = fields.Dict(
        required=True,
        allow_none=True,
        metadata={"description": "values before the change, without secrets", "example": None},
    )
    after = fields.Dict(
        required=True,
        allow_none=True,
        metadata={
            "description": "values after the change, without secrets",
            "example": {"role": "accountant"},
        },
    )
    ip = fields.Raw(required=True, metadata={**_PERSONAL, "example": "203.0.113.7"})
    request_id = fields.String(
        required=True, allow_none=True, metadata={"example": "5f0c2a4e9b1d4c7f8a3e6d2b1c0f9e8d"}
    )
    domain = fields.String(
        required=True,
        metadata={
            "description": "the domain that it concerns; `hash` covers others than `root`",
            "example": "root",
        },
    )
    personal = fields.Dict(
        keys=fields.String(),
        values=fields.Nested(DigestSchema),
        required=True,
        allow_none=True,
        metadata={
            "description": "digests of the personal values, by JSON Pointer into this event",
            "example": {"/actor/name": {"digest": "7d0e" * 16, "salt": "5b3c" * 8}},
        },
    )
    prev_hash = fields.String(required=True, metadata={"example": "9c1f" * 16})
    hash = fields.String(required=True, metadata={"example": "4be7" * 16})


AuditEventListSchema = page_of("AuditEventListSchema", AuditEventSchema)


def _actions(description: str, data_key: str | None = None) -> fields.List[str]:
    """Actions of the catalogue, an argument for each."""
    return fields.List(
        fields.String(validate=validate.OneOf(sorted(CATALOGUE))),
        data_key=data_key,
        validate=validate.Length(min=1, max=len(CATALOGUE)),
        metadata={"description": description},
    )


_HASH = {"description": "Base64, 32 bytes", "example": "Rz0zO9mjI0mvG8oY9Fe8Ur4LH1bQSPm+T6Pp0kzYzVA="}


def _hash() -> fields.String:
    return fields.String(required=True, metadata=_HASH)


def _path() -> fields.List[str]:
    return fields.List(fields.String(metadata=_HASH), required=True)


class InclusionProofSchema(ma.Schema):
    """The proof that an event is in the tree of the first `size` events (RFC 9162, section 2.1.3). The leaf
    is the event's `hash` as 32 bytes."""

    seq = fields.Integer(required=True, metadata={"example": 42})
    hash = fields.String(required=True, metadata={"example": "4be7" * 16})
    leaf_index = fields.Integer(required=True, metadata={"example": 41})
    leaf_hash = _hash()
    size = fields.Integer(required=True, metadata={"example": 1042})
    root_hash = _hash()
    inclusion_path = _path()


class ConsistencyProofSchema(ma.Schema):
    """The proof that the tree of `to` events begins with that of `from` events (RFC 9162, section 2.1.4)."""

    from_ = fields.Integer(required=True, data_key="from", metadata={"example": 1000})
    from_root_hash = _hash()
    to = fields.Integer(required=True, metadata={"example": 1042})
    to_root_hash = _hash()
    consistency_path = _path()


class InclusionQuery(Body):
    """The tree of a proof."""

    size = Count(
        low=1, high=MAX_SEQ, metadata={"description": "number of events in the tree; all, if not given"}
    )


class ConsistencyQuery(Body):
    """The two trees of a proof."""

    from_ = Count(
        low=1,
        high=MAX_SEQ,
        required=True,
        data_key="from",
        metadata={"description": "number of events in the first tree"},
    )
    to = Count(
        low=1,
        high=MAX_SEQ,
        metadata={"description": "number of events in the second tree; all, if not given"},
    )


class AuditQuery(PageQuery):
    """Filters for events."""

    from_seq = Count(
        low=0,
        high=MAX_SEQ,
        metadata={"description": "oldest first, beginning with the event of this number"},
    )
    actor = Text(longest=256, shortest=1, metadata={"description": "id, or name at the time"})
    action = _actions(
        "the action, such as `role.created`; given several times, any of them; `action!=role.created`"
        " excludes one, also several times"
    )
    target = Text(longest=256, shortest=1, metadata={"description": "id, or name at the time"})
    role = RoleName(metadata={"description": "role that was changed, given, taken, made active or inherited"})
    ip = Address(description="address that it came from")
    domain = DomainName(metadata={"description": "a domain that it concerns, or one in it"})
    session = Text(
        longest=36,
        pattern=_UUID,
        error="Give the id of a session.",
        metadata={"description": "id of the session that it was done in"},
    )
    request_id = Text(longest=128, shortest=1, metadata={"description": "`X-Request-ID` of the request"})
    outcome = fields.String(validate=validate.OneOf(OUTCOMES), metadata={"description": "the outcome"})
    after = Moment(metadata={"description": "events after this time"})
    before = Moment(metadata={"description": "events before this time"})


class AuditArguments(AuditQuery):
    """The same, with ``action!``: generated clients would use one name for it and for ``action``, so the
    document only describes it in words."""

    documented = AuditQuery
    action_not = _actions("", "action!")
