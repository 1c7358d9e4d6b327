"""HTTP as OAuth uses it: form-encoded requests, and errors as ``{"error", "error_description"}``.

Below ``/oauth/`` every error has that form (RFC 6749 section 5.2), whichever layer raised it. An error keeps
its own ``code`` internally, so that one table of problems serves both forms.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import marshmallow as ma
import orjson
from apispec import APISpec
from flask import Request, Response

from rbac_api.errors import Invalid, ServiceError, TooManyAttempts, Unauthenticated, Unavailable
from rbac_api.formats.http_errors import TooLarge, status_of
from rbac_api.formats.oauth_errors import BEARER, FORM, InvalidRequest, NotForm, OAuthError
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.openapi.smorest import Description, Operation
from rbac_api.web.requests.arguments import whole_body
from rbac_api.web.responses.problems import register_error_format

F = TypeVar("F", bound=Callable[..., Any])
PREFIX = "/oauth/"
MAX_PARAMETERS = 32
UNCACHED = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_UNSAYABLE = re.compile(r'[^\x20-\x7e]|["\\]')  # RFC 6749 appendix A.8


FAULTS: tuple[type[ServiceError], ...] = (InvalidRequest, NotForm, TooLarge)
"""The errors that any form can cause."""


class OAuthErrorSchema(ma.Schema):
    """Why a request was refused, RFC 6749 section 5.2."""

    error = ma.fields.String(
        required=True, metadata={"description": "for programs", "example": "invalid_request"}
    )
    error_description = ma.fields.String(
        required=True, metadata={"description": "for people", "example": InvalidRequest.default_detail}
    )


class OAuthBlueprint(Blueprint):
    """A blueprint whose refusals are documented in OAuth's form."""

    def __init__(self, name: str, import_name: str, *, tag: str, description: str) -> None:
        super().__init__(name, import_name, tag=tag, description=description)
        self.document_by(_prepare_oauth_doc)

    def form(self, schema: type[ma.Schema]) -> Callable[[F], F]:
        """Document a form-encoded body; the guard reads it, since credentials may be in it."""
        return self.body({FORM: {"schema": schema}}, FAULTS)


def form_of(request: Request) -> dict[str, str]:
    """Return the parameters of a form-encoded body that have a value (RFC 6749 section 3.2).

    400 for parameters in the URL, where a secret would be logged, for repeated ones, and for text that is not
    UTF-8; also 413 and 415.
    """
    if request.query_string:
        raise InvalidRequest("Send the parameters in the body: the URL is logged.")
    body = whole_body(request)
    if body and request.mimetype != FORM:
        raise NotForm()
    try:
        text = body.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS)
    except ValueError as fault:
        raise InvalidRequest("The body is not form-encoded UTF-8.") from fault
    form = dict(pairs)
    if len(form) != len(pairs):
        raise InvalidRequest("A parameter is repeated. Send each once.")
    return {name: value for name, value in form.items() if value}


def oauth_answer(error: ServiceError) -> Response:
    """Return the whole answer.

    It has a challenge (RFC 6749 section 5.2, RFC 6750 section 3) or Retry-After where that is required.
    """
    body = oauth_body(error)
    status = oauth_status(type(error))
    answer = Response(orjson.dumps(body), status=status, headers=UNCACHED, content_type="application/json")
    for challenge in _challenges(error):
        answer.headers.add("WWW-Authenticate", challenge)
    if isinstance(error, (TooManyAttempts, Unavailable)):
        answer.headers["Retry-After"] = str(error.retry_after)
    return answer


def oauth_status(error: type[ServiceError]) -> int:
    """Return the status of an error class; OAuth has no 422."""
    return 400 if issubclass(error, Invalid) else status_of(error)


def oauth_body(error: ServiceError | type[ServiceError]) -> dict[str, str]:
    """Return the members of the answer; the description uses only the characters that OAuth allows."""
    kind = error if isinstance(error, type) else type(error)
    detail = kind.default_detail if isinstance(error, type) else error.detail
    return {"error": _name(kind), "error_description": _UNSAYABLE.sub("'", detail)}


def _name(kind: type[ServiceError]) -> str:
    if issubclass(kind, OAuthError):
        return kind.error
    if issubclass(kind, Unauthenticated):
        return "invalid_token"
    if issubclass(kind, (TooManyAttempts, Unavailable)):
        return "temporarily_unavailable"
    return "server_error" if status_of(kind) == 500 else "invalid_request"


def _challenges(error: ServiceError) -> tuple[str, ...]:
    if isinstance(error, OAuthError):
        return error.challenges
    if isinstance(error, Unauthenticated):
        return (f'{BEARER}, error="invalid_token"' if error.challenge else BEARER,)
    return (f'{BEARER}, error="{error.challenge}"',) if error.challenge else ()


def _prepare_oauth_doc(
    doc: Operation, doc_info: Description, *, spec: APISpec, **_kwargs: object
) -> Operation:
    """Document each error in OAuth's form."""
    if "body" not in doc_info:
        return doc
    by_status: dict[int, list[type[ServiceError]]] = {}
    for problem in doc_info.get("problems", ()):
        by_status.setdefault(oauth_status(problem), []).append(problem)
        if issubclass(problem, OAuthError):
            # the example of a problem document, which it never becomes
            spec.components.examples.pop(problem.code, None)
    for status, problems in sorted(by_status.items()):
        names = {
            problem.code: {"summary": problem.title, "value": oauth_body(problem)} for problem in problems
        }
        errors = ", ".join(sorted({f"`{_name(problem)}`" for problem in problems}))
        described = doc["responses"].setdefault(status, {})
        described["description"] = f"Refused: {errors}"
        described["headers"] = {
            name: name if name != "WWW-Authenticate" else _CHALLENGE for name in described.get("headers", {})
        }
        described["content"] = {"application/json": {"schema": OAuthErrorSchema, "examples": names}}
    return doc


_CHALLENGE = {
    "description": "which credentials are asked for (RFC 7617, RFC 6750)",
    "required": True,
    "schema": {"type": "string", "pattern": "^(Basic|Bearer) "},
}

register_error_format(PREFIX, oauth_answer)
