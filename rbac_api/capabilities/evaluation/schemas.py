"""Schemas of questions and answers, for the OpenAPI document. ``questions`` reads questions; here they are
described."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.capabilities.evaluation.questions import MAX_EVALUATIONS, SEMANTICS

_URL = {"format": "uri"}
SUBJECT = {"type": "user", "id": "ingrid.solberg"}
ACTION = {"name": "approve"}
RESOURCE = {"type": "invoices", "id": "2026-1187"}
_DEFAULT = "default for every evaluation without its own; without `evaluations`, part of the single question"

CONTEXT = {
    "description": (
        "`second_factor`: whether the session asked about has a second factor, default `true`; for an "
        "evaluation also `session_id`: decide as in this session of the subject; other members are ignored"
    ),
    "example": {"second_factor": False},
}


LONGEST = {"maxLength": 1024 * 1024}  # what fits into a body with many questions


class OpenSchema(ma.Schema):
    """Unknown members are ignored (section 10.1.1)."""

    class Meta:
        unknown = ma.INCLUDE


def properties_field() -> fields.Dict:
    return fields.Dict(metadata={"description": "accepted and ignored", "example": {}})


class SubjectSchema(OpenSchema):
    """Who would do it."""

    type = fields.String(
        required=True, metadata={"description": "`user` or `service-account`", "example": "user", **LONGEST}
    )
    id = fields.String(
        required=True,
        metadata={
            "description": "its id; for a user also the username",
            "example": "ingrid.solberg",
            **LONGEST,
        },
    )
    properties = properties_field()


class ActionSchema(OpenSchema):
    """What would be done."""

    name = fields.String(
        required=True, metadata={"description": "the permission's verb", "example": "approve", **LONGEST}
    )
    properties = properties_field()


class ResourceSchema(OpenSchema):
    """What it would be done to."""

    type = fields.String(
        required=True,
        metadata={"description": "the permission's resource", "example": "invoices", **LONGEST},
    )
    id = fields.String(
        required=True,
        metadata={
            "description": "the resource; not evaluated, permissions apply to all resources of a type",
            "example": "2026-1187",
            **LONGEST,
        },
    )
    properties = fields.Dict(
        metadata={
            "description": "`domain`: where the resource is, default `root`; other members are ignored",
            "example": {"domain": "acme.eu"},
        }
    )


class AccessEvaluationSchema(OpenSchema):
    """A question, AuthZEN section 6.1."""

    subject = fields.Nested(SubjectSchema, required=True, metadata={"example": SUBJECT})
    action = fields.Nested(ActionSchema, required=True, metadata={"example": ACTION})
    resource = fields.Nested(ResourceSchema, required=True, metadata={"example": RESOURCE})
    context = fields.Dict(metadata=CONTEXT)


class EvaluationOptionsSchema(OpenSchema):
    """The order of evaluation, and when it ends."""

    evaluations_semantic = fields.String(
        load_default="execute_all",
        validate=validate.OneOf(SEMANTICS),
        metadata={
            "description": "evaluate all, or stop at the first that is denied or permitted",
            "example": "execute_all",
        },
    )


class AccessEvaluationsSchema(OpenSchema):
    """Questions, AuthZEN section 7.1.

    An evaluation's own members replace the whole default; a fault in one is returned in its own answer.
    """

    subject = fields.Dict(metadata={"description": _DEFAULT, "example": SUBJECT})
    action = fields.Dict(metadata={"description": _DEFAULT, "example": ACTION})
    resource = fields.Dict(metadata={"description": _DEFAULT, "example": RESOURCE})
    context = fields.Dict(metadata={**CONTEXT, "description": f"{_DEFAULT}; {CONTEXT['description']}"})
    options = fields.Nested(
        EvaluationOptionsSchema, metadata={"example": {"evaluations_semantic": "execute_all"}}
    )
    evaluations = fields.List(
        fields.Raw(metadata={"description": "a malformed question gets an error in its own answer"}),
        validate=validate.Length(max=MAX_EVALUATIONS),
        metadata={
            "description": "the questions; without any, the body is a single question",
            "example": [{"action": {"name": "read"}}, {"action": {"name": "approve"}}],
        },
    )


class DecisionReasonSchema(ma.Schema):
    """The reason for a denial."""

    code = fields.String(required=True, metadata={"description": "for programs", "example": "nothing-grants"})
    detail = fields.String(
        required=True,
        metadata={"description": "for people", "example": "No role of the subject grants this."},
    )


class EvaluationErrorSchema(ma.Schema):
    """The fault of one question of several, AuthZEN section 7.2.1."""

    status = fields.Integer(required=True, metadata={"example": 400})
    message = fields.String(required=True, metadata={"example": "The member resource is missing."})


class DecisionContextSchema(ma.Schema):
    """The reason for a denial, the fault of the question, or the condition of a permission."""

    second_factor = fields.Boolean(
        metadata={
            "description": (
                "`true`: the subject may only in a session with a second factor; absent: also in one without"
            ),
            "example": True,
        }
    )
    reasons = fields.List(fields.Nested(DecisionReasonSchema))
    error = fields.Nested(EvaluationErrorSchema)


class AccessDecisionSchema(ma.Schema):
    """An answer, AuthZEN section 6.2."""

    decision = fields.Boolean(required=True, metadata={"example": False})
    context = fields.Nested(
        DecisionContextSchema,
        metadata={"description": "why it was denied, or what the permission depends on"},
    )


class AccessDecisionsSchema(ma.Schema):
    """Answers in the order of the questions, AuthZEN section 7.2."""

    evaluations = fields.List(fields.Nested(AccessDecisionSchema), required=True)


class DecisionPointSchema(ma.Schema):
    """Policy decision point metadata, AuthZEN section 9.1."""

    policy_decision_point = fields.String(
        required=True, metadata={**_URL, "example": "https://rbac.example.com"}
    )
    access_evaluation_endpoint = fields.String(
        required=True, metadata={**_URL, "example": "https://rbac.example.com/access/v1/evaluation"}
    )
    access_evaluations_endpoint = fields.String(
        required=True, metadata={**_URL, "example": "https://rbac.example.com/access/v1/evaluations"}
    )
    search_subject_endpoint = fields.String(
        required=True, metadata={**_URL, "example": "https://rbac.example.com/access/v1/search/subject"}
    )
    search_resource_endpoint = fields.String(
        required=True, metadata={**_URL, "example": "https://rbac.example.com/access/v1/search/resource"}
    )
    search_action_endpoint = fields.String(
        required=True, metadata={**_URL, "example": "https://rbac.example.com/access/v1/search/action"}
    )
