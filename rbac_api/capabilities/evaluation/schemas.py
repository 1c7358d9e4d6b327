"""Schemas of questions and answers, for the OpenAPI document. ``questions`` reads questions; here they are
described."""

from __future__ import annotations

import marshmallow as ma
from marshmallow import fields, validate

from rbac_api.capabilities.evaluation.questions import MAX_EVALUATIONS, SEMANTICS

_URL = {"format": "uri"}
_SUBJECT = {"type": "user", "id": "ingrid.solberg"}
_ACTION = {"name": "approve"}
_RESOURCE = {"type": "invoices", "id": "2026-1187"}
_DEFAULT = "default for every evaluation without its own; without `evaluations`, part of the single question"

_CONTEXT = {
    "description": (
        "`second_factor`: whether the session asked about has a second factor, default `true`; for an "
        "evaluation also `session_id`: decide as in this session of the subject; other members are ignored"
    ),
    "example": {"second_factor": False},
}


_LONGEST = {"maxLength": 1024 * 1024}  # what fits into a body with many questions


class _Open(ma.Schema):
    """Unknown members are ignored (section 10.1.1)."""

    class Meta:
        unknown = ma.INCLUDE


def _properties() -> fields.Dict:
    return fields.Dict(metadata={"description": "accepted and ignored", "example": {}})


class SubjectSchema(_Open):
    """Who would do it."""

    type = fields.String(
        required=True, metadata={"description": "`user` or `service-account`", "example": "user", **_LONGEST}
    )
    id = fields.String(
        required=True,
        metadata={
            "description": "its id; for a user also the username",
            "example": "ingrid.solberg",
            **_LONGEST,
        },
    )
    properties = _properties()


class ActionSchema(_Open):
    """What would be done."""

    name = fields.String(
        required=True, metadata={"description": "the permission's verb", "example": "approve", **_LONGEST}
    )
    properties = _properties()


class ResourceSchema(_Open):
    """What it would be done to."""

    type = fields.String(
        required=True,
        metadata={"description": "the permission's resource", "example": "invoices", **_LONGEST},
    )
    id = fields.String(
        required=True,
        metadata={
            "description": "the resource; not evaluated, permissions apply to all resources of a type",
            "example": "2026-1187",
            **_LONGEST,
        },
    )
    properties = fields.Dict(
        metadata={
            "description": "`domain`: where the resource is, default `root`; other members are ignored",
            "example": {"domain": "acme.eu"},
        }
    )


class AccessEvaluationSchema(_Open):
    """A question, AuthZEN section 6.1."""

    subject = fields.Nested(SubjectSchema, required=True, metadata={"example": _SUBJECT})
    action = fields.Nested(ActionSchema, required=True, metadata={"example": _ACTION})
    resource = fields.Nested(ResourceSchema, required=True, metadata={"example": _RESOURCE})
    context = fields.Dict(metadata=_CONTEXT)


class EvaluationOptionsSchema(_Open):
    """The order of evaluation, and when it ends."""

    evaluations_semantic = fields.String(
        load_default="execute_all",
        validate=validate.OneOf(SEMANTICS),
        metadata={
            "description": "evaluate all, or stop at the first that is denied or permitted",
            "example": "execute_all",
        },
    )


class AccessEvaluationsSchema(_Open):
    """Questions, AuthZEN section 7.1.

    An evaluation's own members replace the whole default; a fault in one is returned in its own answer.
    """

    subject = fields.Dict(metadata={"description": _DEFAULT, "example": _SUBJECT})
    action = fields.Dict(metadata={"description": _DEFAULT, "example": _ACTION})
    resource = fields.Dict(metadata={"description": _DEFAULT, "example": _RESOURCE})
    context = fields.Dict(metadata={**_CONTEXT, "description": f"{_DEFAULT}; {_CONTEXT['description']}"})
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


class SearchPageSchema(_Open):
    """Which part of the results, AuthZEN section 8.2.1."""

    token = fields.String(
        metadata={
            "description": "`next_token` of the previous answer; the rest of the search must be the same",
            "example": "WzEwMCwiMDE5Il0.3iZ0",
            **_LONGEST,
        }
    )
    limit = fields.Integer(
        validate=validate.Range(min=0),
        metadata={"description": "results at most; 200 by default, and never more", "example": 100},
    )
    properties = _properties()


class SubjectTypeSchema(_Open):
    """Which kind of account."""

    type = fields.String(
        required=True, metadata={"description": "`user` or `service-account`", "example": "user", **_LONGEST}
    )
    id = fields.Raw(metadata={"description": "ignored", "example": "ingrid.solberg"})
    properties = _properties()


class SubjectSearchSchema(_Open):
    """Who may do it? AuthZEN section 8.4.1."""

    subject = fields.Nested(SubjectTypeSchema, required=True, metadata={"example": {"type": "user"}})
    action = fields.Nested(ActionSchema, required=True, metadata={"example": _ACTION})
    resource = fields.Nested(ResourceSchema, required=True, metadata={"example": _RESOURCE})
    context = fields.Dict(metadata=_CONTEXT)
    page = fields.Nested(SearchPageSchema, metadata={"example": {"limit": 100}})


class ActionSearchSchema(_Open):
    """What may the subject do? AuthZEN section 8.6.1."""

    subject = fields.Nested(SubjectSchema, required=True, metadata={"example": _SUBJECT})
    resource = fields.Nested(ResourceSchema, required=True, metadata={"example": _RESOURCE})
    context = fields.Dict(metadata=_CONTEXT)
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


class FoundActionSchema(ma.Schema):
    """An action that the subject may perform."""

    name = fields.String(required=True, metadata={"example": "approve"})


class FoundSubjectsSchema(ma.Schema):
    """The subjects found, AuthZEN section 8.3."""

    page = fields.Nested(FoundPageSchema, required=True)
    results = fields.List(fields.Nested(FoundSubjectSchema), required=True)


class FoundActionsSchema(ma.Schema):
    """The actions found, AuthZEN section 8.3."""

    page = fields.Nested(FoundPageSchema, required=True)
    results = fields.List(fields.Nested(FoundActionSchema), required=True)


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
    search_action_endpoint = fields.String(
        required=True, metadata={**_URL, "example": "https://rbac.example.com/access/v1/search/action"}
    )
