"""Builds the OpenAPI 3.1 document with flask-smorest.

It is the same on every Python version. An operation that is not fully described stops the start.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import apispec
import marshmallow as ma
import orjson
from flask import Flask, Response, request

from rbac_api.resources import release
from rbac_api.web.fields import Moment
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.openapi.descriptions import (
    DECISION_ID,
    SECURITY_SCHEMES,
    register_headers,
    ways_in,
    who_may,
)
from rbac_api.web.openapi.smorest import BareApi
from rbac_api.web.responses.constant import Fixed

VERSION = release()
_DESCRIPTION = """\
Users, roles, permissions and sessions in SQL, with roles embedded as claims in signed tokens.

**Sign in** with the form above, which lasts over a reload, or by executing `POST /v1/auth/login`, which
shows the tokens. The page refreshes the session when it expires. Every refusal is a problem document
(RFC 9457) that says what was wrong and what to do; a 403 names the missing permission, and "Why?" explains
it.
"""
_DOCUMENTS: dict[tuple[Blueprint, ...], dict[str, object]] = {}
_TAGS = (
    ("Sign-in", "For client apps: get tokens, refresh them, sign out."),
    ("My account", "For every user: my profile, password, second factor, sessions and active roles."),
    ("Users", "For admins: user accounts, password resets, a user's sessions."),
    (
        "Roles and permissions",
        "For admins: roles, what they permit and inherit, and the permissions themselves.",
    ),
    ("Domains", "Where roles count: places in a tree."),
    ("Assignments", "For admins: which user holds which role, and when."),
    (
        "Constraints",
        "For admins and auditors: separation of duty and other rules on roles, and who violates them.",
    ),
    ("Access", "For admins and auditors: who may do what, why or why not, now and in the past."),
    (
        "Policy",
        "For admins: permissions, roles, constraints and assignments as one document: plan, apply, revert.",
    ),
    ("Sessions", "For admins and auditors: who is or was signed in, and from where; revoke sessions."),
    ("Incidents", "For admins and auditors: signs of stolen tokens and guessed passwords."),
    ("Audit trail", "For auditors: who did what, when and to whom; CSV and NDJSON export."),
    ("Service accounts", "For admins: accounts for programs, their secrets and roles."),
    ("OAuth", "For programs: client credentials, refresh, revocation, introspection."),
    ("Decisions", "For client apps: access decisions, OpenID AuthZEN Authorization API 1.0."),
    ("Keys", "For operators: the keys that sign and verify tokens; rotate and withdraw them."),
    ("Operation", "For operators and verifiers: health, metrics, public keys, revocations, roles."),
)


class ProblemFaultSchema(ma.Schema):
    """One wrong field."""

    pointer = ma.fields.String(
        required=True,
        metadata={"description": "JSON Pointer (RFC 6901) to the field", "example": "/username"},
    )
    code = ma.fields.String(required=True, metadata={"example": "field.required"})
    detail = ma.fields.String(required=True, metadata={"example": "This field is required."})


class ProblemSchema(ma.Schema):
    """A problem document, RFC 9457."""

    class Meta:
        unknown = ma.INCLUDE

    type = ma.fields.String(
        required=True,
        metadata={
            "description": "URI reference of the code's documentation",
            "example": "/problems/access.denied",
        },
    )
    title = ma.fields.String(required=True, metadata={"example": "Not allowed"})
    status = ma.fields.Integer(required=True, metadata={"example": 403})
    detail = ma.fields.String(required=True, metadata={"example": "You need the permission roles:create."})
    code = ma.fields.String(
        required=True, metadata={"description": "stable, machine-readable code", "example": "access.denied"}
    )
    request_id = ma.fields.String(required=True, metadata={"example": "5f0c2a4e9b1d4c7f8a3e6d2b1c0f9e8d"})
    decision_id = ma.fields.String(
        metadata={
            "description": "in every 403; `GET /v1/decisions/{id}` explains it",
            "example": DECISION_ID,
        }
    )
    required = ma.fields.String(metadata={"description": "the missing permission", "example": "roles:create"})
    max_age = ma.fields.Integer(
        metadata={"description": "maximum age of the sign-in in seconds (RFC 9470)", "example": 3600}
    )
    missing = ma.fields.List(
        ma.fields.String(), metadata={"description": "permissions that the change needs and you do not hold"}
    )
    errors = ma.fields.List(
        ma.fields.Nested(ProblemFaultSchema), metadata={"description": "one per invalid field, the first 100"}
    )
    total = ma.fields.Integer(
        metadata={
            "description": "how many fields are invalid, if `errors` does not list all of them",
            "example": 263,
        }
    )
    violated_policies = ma.fields.List(
        ma.fields.String(),
        data_key="violated-policies",
        metadata={"description": "which limits of `RateLimit-Policy` were exceeded", "example": ["signin"]},
    )
    count = ma.fields.Integer(metadata={"description": "how many sessions match the filter", "example": 3})


class DocumentationGuard(apispec.BasePlugin):
    """Refuses an operation that is not fully described, and adds to each description who may call it."""

    def operation_helper(
        self, path: str | None = None, operations: dict[str, Any] | None = None, **_kwargs: object
    ) -> None:
        for method, operation in (operations or {}).items():
            lacking = [
                key for key in ("operationId", "summary", "description", "tags") if not operation.get(key)
            ]
            lacking += [key for key in ("security", "x-permission") if key not in operation]
            if not any(int(status) < 400 for status in operation.get("responses", {})):
                lacking.append("a successful response")
            if lacking:
                raise RuntimeError(f"{method.upper()} {path} is not fully described: {', '.join(lacking)}")
            operation["description"] = f"{operation['description']}\n\n{who_may(operation)}"
            if operation["security"] == [{"bearerAuth": []}]:
                operation["security"] = ways_in(method)


class Api(BareApi):
    """flask-smorest's Api without its error answers and its UI.

    ``web.responses.problems`` and ``web.openapi.swagger_ui`` take their place.
    """

    DEFAULT_ERROR_RESPONSE_NAME = None

    def __init__(self, app: Flask) -> None:
        app.config.update(
            API_TITLE="rbac-api",
            API_VERSION=VERSION,
            OPENAPI_VERSION="3.1.1",
            API_SPEC_OPTIONS=_spec_options(),
        )
        self._described: tuple[Blueprint, ...] = ()
        super().__init__(app, spec_kwargs={"extra_plugins": [DocumentationGuard()]})
        self._application = app
        register_headers(self.spec)
        self.ma_plugin.converter.add_attribute_function(_moment)
        self.spec.components.schema("Problem", schema=ProblemSchema)

    def register_blueprint(self, blp: Blueprint, **options: object) -> None:
        """Register the views. Tags are declared once, in ``_TAGS``, in reading order."""
        app = self._application
        app.extensions["flask-smorest"]["blp_name_to_api"][blp.name] = self
        app.register_blueprint(blp, **options)
        self._described = (*self._described, blp)

    def document(self) -> dict[str, object]:
        """Return the OpenAPI document.

        No setting changes it, so a process builds it once for all its applications.
        """
        if self._described not in _DOCUMENTS:
            for blp in self._described:
                blp.register_views_in_doc(self, self._application, self.spec, name=blp.name, parameters=None)
            _DOCUMENTS[self._described] = self.spec.to_dict()
        return _DOCUMENTS[self._described]

    def text(self) -> bytes:
        """Return the document as it is served and committed."""
        return orjson.dumps(self.document(), option=orjson.OPT_INDENT_2)

    def serve_document(self) -> None:
        """Answer ``GET /openapi.json``. The text is made once for each prefix that trusted proxies send."""

        @lru_cache(maxsize=4)
        def below(prefix: str) -> Fixed:
            document = {**self.document(), "servers": _servers(prefix)}
            return Fixed(orjson.dumps(document, option=orjson.OPT_INDENT_2), "application/json")

        below("/")

        def openapi_json() -> Response:
            return below(request.script_root or "/").answer()

        openapi_json.access = "public"  # type: ignore[attr-defined]
        self._application.add_url_rule("/openapi.json", view_func=openapi_json)


def _spec_options() -> dict[str, object]:
    return {
        "info": {
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
            "contact": {"name": "The operator of this service"},
        },
        "servers": _servers("/"),
        "security": [{"bearerAuth": []}],
        "tags": [{"name": name, "description": description} for name, description in _TAGS],
        "components": {"securitySchemes": SECURITY_SCHEMES},
    }


def _servers(url: str) -> list[dict[str, str]]:
    return [{"url": url, "description": "this server"}]


def _moment(_converter: object, field: ma.fields.Field[object], **_kwargs: object) -> dict[str, object]:
    """Return the type of the field ``Moment``, and an example for every time in an answer."""
    if isinstance(field, Moment):
        return {"type": ["string", "null"] if field.allow_none else "string", "format": "date-time"}
    is_plain = isinstance(field, ma.fields.DateTime) and "example" not in field.metadata
    return {"example": "2026-11-22T17:00:00Z"} if is_plain else {}
