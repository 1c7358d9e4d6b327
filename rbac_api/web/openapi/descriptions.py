"""Texts of the OpenAPI document that recur: path parameters, headers, problems, and who may call.

No path parameter has an ``example``: Swagger UI would fill it in, and *Execute* would act on it by mistake.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from apispec import APISpec

from rbac_api.decision.naming import DOMAIN, PERMISSION, ROLE
from rbac_api.errors import ServiceError
from rbac_api.web.fields import name_schema
from rbac_api.web.openapi.smorest import Answer, Manual
from rbac_api.web.responses.problems import MEDIA_TYPE, problem_type

_PHRASES = {
    400: "Unreadable", 401: "Not signed in", 403: "Not allowed", 404: "Not found", 406: "No such format",
    409: "Conflict", 412: "Stale ETag", 413: "Too large", 415: "Not JSON", 422: "Invalid",
    428: "If-Match required", 429: "Too many attempts", 503: "Unavailable",
}  # fmt: skip
_ROLE = {"type": "string", **name_schema(ROLE)}
_PERMISSION = {"type": "string", **name_schema(PERMISSION)}
_DOMAIN = {"type": "string", **name_schema(DOMAIN)}
DECISION_ID = "0198c0df-02b4-7a1e-8d53-9f6c5b4a3e21"
_CODE = {"type": "string", "pattern": r"^[a-z_]+\.[a-z_]+$", "maxLength": 64}
_ACCOUNT = {"type": "string", "minLength": 1, "maxLength": 128}
_PATH: dict[str, tuple[str, Mapping[str, object]]] = {
    "role": ("the role's name, such as `accountant`", _ROLE),
    "junior": ("the name of the role to inherit, such as `employee`", _ROLE),
    "constraint": ("the constraint's name, such as `prepare-or-release`", _ROLE),
    "permission": ("the permission's name, such as `invoices:approve`", _PERMISSION),
    "domain": ("the domain's name, such as `acme.eu`", _DOMAIN),
    "user_id": ("the user's `id` or username; what has the form of an id is read as one", _ACCOUNT),
    "session_id": ("the session's `id`, from `GET /v1/sessions` or `GET /v1/me/sessions`", {}),
    "account_id": ("the service account's `id`, which is also its `client_id`, or its name", _ACCOUNT),
    "secret_id": ("the secret's `id`, from `GET /v1/service-accounts/{account_id}`", {}),
    "incident_id": ("the incident's `id`, from `GET /v1/incidents`", {}),
    "decision_id": ("the `decision_id` of a 403", {}),
    "seq": ("the event's number in the trail", {}),
    "kid": ("the key's `kid`, from `GET /v1/keys`", {"type": "string", "maxLength": 64}),
    "code": ("the `code` of a problem, such as `access.denied`", _CODE),
}
_REQUEST_HEADERS: dict[str, tuple[str, Mapping[str, object]]] = {
    "If-Match": (
        (
            "the `ETag` from reading the resource, including the quotes; 428 if absent, 412 if it has "
            "changed since"
        ),
        {"pattern": r'^"[!#-~]+"(, *"[!#-~]+")*$'},
    ),
    "If-None-Match": (
        "an `ETag` you already have; 304 if it is still current",
        {},
    ),
    "Idempotency-Key": (
        (
            "a key of your choice for this request: repeating it with the same body returns the first "
            "answer again"
        ),
        {"pattern": '^("[!#-~]{1,255}"|[!#-~]{1,255})$'},
    ),
}
_ANSWER_HEADERS: dict[str, tuple[str, bool, dict[str, object]]] = {
    "ETag": ("strong tag of this state, for `If-Match` and `If-None-Match`", True, {"type": "string"}),
    "Location": ("address of what was created", True, {"type": "string"}),
    "Link": ('address of the next page, `rel="next"`, if there is one', False, {"type": "string"}),
    "WWW-Authenticate": ("the Bearer challenge (RFC 6750)", True, {"type": "string", "pattern": "^Bearer "}),
    "RateLimit": (
        "remaining quota of this address (structured field): `r` requests for the next `t` seconds",
        False,
        {"type": "string", "example": '"signin";r=29;t=60'},
    ),
    "RateLimit-Policy": (
        "limit per address (structured field): `q` requests in `w` seconds",
        False,
        {"type": "string", "example": '"signin";q=30;w=60'},
    ),
    "Use-Window": (
        "from when until when uses of permissions count, and since when they are recorded, if at all",
        True,
        {
            "type": "string",
            "example": "2026-09-01T00:00:00.000000Z/2026-11-30T19:10:31.000000Z, recorded since "
            "2026-06-04T00:00:00.000000Z",
        },
    ),
    "Use-Granularity": ("the unit of the window", True, {"type": "string", "enum": ["day"]}),
    "Retry-After": ("seconds to wait before trying again", True, {"type": "integer", "minimum": 1}),
}
TAG_UNLESS_PAST = {
    "description": "strong tag of the current state, for `If-Match` and `If-None-Match`; not with `at`",
    "required": False,
    "schema": {"type": "string"},
}
_DUE = {401: "WWW-Authenticate", 403: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}


SECURITY_SCHEMES = {
    "bearerAuth": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "an access token (RFC 9068); the form at the top of this page fills it in",
    },
    "cookieAuth": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-rbac-access",
        "description": "for pages in a browser: set by `POST /v1/auth/login?mode=cookie`; ignored "
        "when an Authorization header is sent",
    },
    "clientAuth": {
        "type": "http",
        "scheme": "basic",
        "description": "a service account's `client_id` and one of its secrets (RFC 6749 section 2.3.1); "
        "alternatively the form fields `client_id`"
        " and `client_secret`, but not both",
    },
    "csrfToken": {
        "type": "apiKey",
        "in": "header",
        "name": "X-CSRF-TOKEN",
        "description": "required with cookies for every write: the `csrf_token` that signing in "
        "returned; the answer to any GET with"
        " cookies repeats it in this header",
    },
}


def ways_in(method: str) -> list[dict[str, list[str]]]:
    """Return the security requirements of an operation that needs a sign-in."""
    reading = method.lower() in ("get", "head", "options")
    return [{"bearerAuth": []}, {"cookieAuth": []} if reading else {"cookieAuth": [], "csrfToken": []}]


def path_parameters(rule: str) -> list[dict[str, object]]:
    """Return the documented parameters of a rule, in its order. flask-smorest adds the converter's schema."""
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": text,
            **({"schema": schema} if schema else {}),
        }
        for name in re.findall(r"<(?:[^<>]+:)?(\w+)>", rule)
        for text, schema in [_PATH[name]]
    ]


def register_headers(spec: APISpec) -> None:
    """Register the headers by name; unused ones do not appear in the document."""
    for name, (text, rules) in _REQUEST_HEADERS.items():
        required = {"required": True} if name == "If-Match" else {}
        described = {"name": name, "description": text, "schema": {"type": "string", **rules}, **required}
        spec.components.parameter(name, "header", described, lazy=True)
    for name, (text, always, schema) in _ANSWER_HEADERS.items():
        spec.components.header(name, {"description": text, "required": always, "schema": schema}, lazy=True)


def problem_response(
    spec: APISpec, status: int, problems: list[type[ServiceError]], permission: str | None
) -> Answer:
    """Describe one status of one operation: the codes it may carry, each with an example."""
    codes = ", ".join(f"`{problem.code}`" for problem in problems)
    examples = {problem.code: _example(spec, problem, status, permission) for problem in problems}
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": f"{_PHRASES[status]}: {codes}",
        "headers": {_DUE[status]: _DUE[status]} if status in _DUE else {},
        "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}},
    }


def who_may(operation: Manual) -> str:
    """Return the last sentence of an operation's description: who may call it."""
    if permission := operation["x-permission"]:
        return f"Requires the permission `{permission}`."
    if {} in operation["security"] and {"clientAuth": []} not in operation["security"]:
        return "For any caller with a token of the session."
    if {} in operation["security"]:
        return "Credentials are required only for a client's own requests; invalid ones are always refused."
    return "For any signed-in user." if operation["security"] else "No sign-in required."


def _example(
    spec: APISpec, problem: type[ServiceError], status: int, permission: str | None
) -> str | Mapping[str, object]:
    """Return the example of a problem: a shared one, or its own if it names the operation's permission."""
    asked = problem.example.get("required")
    if permission and asked and permission != asked:
        return _shown(
            problem, status, {"required": permission}, problem.default_detail.replace(asked, permission)
        )
    if problem.code not in spec.components.examples:
        spec.components.example(
            problem.code, _shown(problem, status, problem.example, problem.default_detail)
        )
    return problem.code


def _shown(
    problem: type[ServiceError], status: int, members: Mapping[str, object], detail: str
) -> dict[str, object]:
    numbered = {"decision_id": DECISION_ID} if status == 403 else {}
    value = {
        "type": problem_type(problem.code),
        "title": problem.title,
        "status": status,
        "detail": detail,
        "code": problem.code,
        "request_id": "5f0c2a4e9b1d4c7f8a3e6d2b1c0f9e8d",
    }
    return {"summary": problem.title, "value": {**value, **numbered, **members}}
