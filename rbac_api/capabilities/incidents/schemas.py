"""Schemas of incidents, for the OpenAPI document."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.capabilities.sessions.schemas import UserReferenceSchema
from rbac_api.web.fields import ID, TEXT, Body, PageQuery, Text, page_of

TYPES = ("refresh-reuse", "stale-use", "lockout")
STATES = ("open", "closed")


class PartySchema(ma.Schema):
    """Where and when a party was seen."""

    ip = fields.String(required=True, allow_none=True, metadata={"example": "203.0.113.7"})
    user_agent = fields.String(required=True, allow_none=True, metadata={"example": "Mozilla/5.0"})
    at = fields.DateTime(required=True, allow_none=True)


class IncidentSchema(ma.Schema):
    """Suspected misuse that needs an investigation."""

    id = fields.String(required=True, metadata=ID)
    type = fields.String(
        required=True,
        validate=validate.OneOf(TYPES),
        metadata={
            "description": "`refresh-reuse`: a spent refresh token was used again; `stale-use`: a token was "
            "used after its session ended or its roles were revoked; `lockout`: an account was locked",
            "example": "refresh-reuse",
        },
    )
    state = fields.String(required=True, validate=validate.OneOf(STATES), metadata={"example": "open"})
    user = fields.Nested(UserReferenceSchema, required=True)
    session_id = fields.String(
        required=True, allow_none=True, metadata={**ID, "description": "null for `lockout`"}
    )
    opened_at = fields.DateTime(required=True)
    occurrences = fields.Integer(
        required=True,
        metadata={"description": "how often it was seen; may lag by a minute", "example": 1},
    )
    rightful = fields.Nested(
        PartySchema, required=True, metadata={"description": "the first party, presumably the user"}
    )
    other = fields.Nested(
        PartySchema, required=True, metadata={"description": "the later party, when first seen"}
    )
    closed_at = fields.DateTime(required=True, allow_none=True, metadata={"example": None})
    closed_by = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "id of the user who closed it", "example": None},
    )
    close_reason = fields.String(required=True, allow_none=True, metadata={"example": None})


IncidentListSchema = page_of("IncidentListSchema", IncidentSchema)


class IncidentQuery(PageQuery):
    """Filters for incidents."""

    type = fields.String(validate=validate.OneOf(TYPES), metadata={"description": "only this type"})
    state = fields.String(
        load_default="open",
        validate=validate.OneOf(STATES),
        metadata={"description": "default: open"},
    )


class IncidentCloseSchema(Body):
    """The result of the investigation."""

    reason = Text(
        required=True,
        longest=1000,
        shortest=1,
        pattern=TEXT,
        metadata={
            "description": "stays with the incident and in the trail",
            "example": "The old laptop of the user; wiped",
        },
    )
