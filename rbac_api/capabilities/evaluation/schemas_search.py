"""Schemas of searches and what they find, for the OpenAPI document, as ``schemas`` for questions."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.capabilities.evaluation.schemas import (
    ACTION,
    CONTEXT,
    LONGEST,
    RESOURCE,
    SUBJECT,
    ActionSchema,
    OpenSchema,
    ResourceSchema,
    SubjectSchema,
    properties_field,
)


class SearchPageSchema(OpenSchema):
    """Which part of the results, AuthZEN section 8.2.1."""

    token = fields.String(
        metadata={
            "description": "`next_token` of the previous answer; the rest of the search must be the same",
            "example": "WzEwMCwiMDE5Il0.3iZ0",
            **LONGEST,
        }
    )
    limit = fields.Integer(
        validate=validate.Range(min=0),
        metadata={"description": "results at most; 200 by default, and never more", "example": 100},
    )
    properties = properties_field()


class SubjectTypeSchema(OpenSchema):
    """Which kind of account."""

    type = fields.String(
        required=True, metadata={"description": "`user` or `service-account`", "example": "user", **LONGEST}
    )
    id = fields.Raw(metadata={"description": "ignored", "example": "ingrid.solberg"})
    properties = properties_field()


class SubjectSearchSchema(OpenSchema):
    """Who may do it? AuthZEN section 8.4.1."""

    subject = fields.Nested(SubjectTypeSchema, required=True, metadata={"example": {"type": "user"}})
    action = fields.Nested(ActionSchema, required=True, metadata={"example": ACTION})
    resource = fields.Nested(ResourceSchema, required=True, metadata={"example": RESOURCE})
    context = fields.Dict(metadata=CONTEXT)
    page = fields.Nested(SearchPageSchema, metadata={"example": {"limit": 100}})


class ResourceTypeSchema(OpenSchema):
    """Which kind of resource."""

    type = fields.String(
        required=True,
        metadata={"description": "the permission's resource", "example": "invoices", **LONGEST},
    )
    id = fields.Raw(metadata={"description": "ignored", "example": "2026-1187"})
    properties = fields.Dict(
        metadata={
            "description": "`domain`: look in this domain and below it, default `root`; others are ignored",
            "example": {"domain": "acme"},
        }
    )


class ResourceSearchSchema(OpenSchema):
    """Where may the subject do it? AuthZEN section 8.5.1."""

    subject = fields.Nested(SubjectSchema, required=True, metadata={"example": SUBJECT})
    action = fields.Nested(ActionSchema, required=True, metadata={"example": ACTION})
    resource = fields.Nested(ResourceTypeSchema, required=True, metadata={"example": {"type": "invoices"}})
    context = fields.Dict(metadata=CONTEXT)
    page = fields.Nested(SearchPageSchema, metadata={"example": {"limit": 100}})


class ActionSearchSchema(OpenSchema):
    """What may the subject do? AuthZEN section 8.6.1."""

    subject = fields.Nested(SubjectSchema, required=True, metadata={"example": SUBJECT})
    resource = fields.Nested(ResourceSchema, required=True, metadata={"example": RESOURCE})
    context = fields.Dict(metadata=CONTEXT)
    page = fields.Nested(SearchPageSchema, metadata={"example": {"limit": 100}})


class FoundPageSchema(ma.Schema):
    """Where the next results are, AuthZEN section 8.2.2."""

    next_token = fields.String(
        required=True, metadata={"description": "empty: there are no more", "example": ""}
    )
    count = fields.Integer(required=True, metadata={"description": "results in this answer", "example": 1})


class FoundSubjectSchema(ma.Schema):
    """A subject that may do it."""

    type = fields.String(required=True, metadata={"example": "user"})
    id = fields.String(required=True, metadata={"example": "0190f5a2-7c1b-7d0e-9f3a-3b2c1d0e4f5a"})


class PlaceSchema(ma.Schema):
    """Where a resource is."""

    domain = fields.String(required=True, metadata={"example": "acme.eu"})


class FoundResourceSchema(ma.Schema):
    """All resources of a type in a domain."""

    type = fields.String(required=True, metadata={"example": "invoices"})
    id = fields.String(required=True, metadata={"description": "the domain's name", "example": "acme.eu"})
    properties = fields.Nested(PlaceSchema, required=True)


class FoundActionSchema(ma.Schema):
    """An action that the subject may perform."""

    name = fields.String(required=True, metadata={"example": "approve"})


class FoundSubjectsSchema(ma.Schema):
    """The subjects found, AuthZEN section 8.3."""

    page = fields.Nested(FoundPageSchema, required=True)
    results = fields.List(fields.Nested(FoundSubjectSchema), required=True)


class FoundResourcesSchema(ma.Schema):
    """The resources found, AuthZEN section 8.3."""

    page = fields.Nested(FoundPageSchema, required=True)
    results = fields.List(fields.Nested(FoundResourceSchema), required=True)


class FoundActionsSchema(ma.Schema):
    """The actions found, AuthZEN section 8.3."""

    page = fields.Nested(FoundPageSchema, required=True)
    results = fields.List(fields.Nested(FoundActionSchema), required=True)
