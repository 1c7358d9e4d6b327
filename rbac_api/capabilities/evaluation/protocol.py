"""AuthZEN over HTTP: questions as JSON objects, whose unknown members are ignored, and errors as a sentence
(a JSON string).

OpenID AuthZEN Authorization API 1.0, section 10. Below ``/access/v1/`` every error of the application has
that form, from whichever layer. Everything wrong with a question is 400, also its media type. The code stays
inside, so that one table of problems covers this form as well.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import marshmallow as ma
import orjson
from apispec import APISpec
from flask import Request, Response, request

from rbac_api.capabilities.evaluation.errors import AuthzenError, InvalidQuestion, NotDeclaredJson
from rbac_api.errors import Invalid, ServiceError, TooManyAttempts, Unavailable
from rbac_api.formats.http_errors import TooLarge, Unreadable, status_of
from rbac_api.formats.paging import MAX_PAGE_SIZE, Page, PageRequest
from rbac_api.web.cursors import open_cursor, signed_cursor
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.openapi.smorest import Description, Operation
from rbac_api.web.requests.arguments import strict_json, whole_body
from rbac_api.web.responses.json_response import json_answer
from rbac_api.web.responses.problems import challenge_of, register_error_format
from rbac_api.web.server.middleware import VERBATIM

F = TypeVar("F", bound=Callable[..., Any])
JSON = "application/json"


FAULTS: tuple[type[ServiceError], ...] = (InvalidQuestion, NotDeclaredJson, Unreadable, Invalid, TooLarge)
"""The possible faults of any question."""


class AuthzenBlueprint(Blueprint):
    """A blueprint whose refusals are documented in AuthZEN's form."""

    def __init__(self, name: str, import_name: str, *, tag: str, description: str) -> None:
        super().__init__(name, import_name, tag=tag, description=description)
        self.document_by(_prepare_authzen_doc)

    def question(self, schema: type[ma.Schema]) -> Callable[[F], F]:
        """Document a body; ``question_of`` reads it, since a schema would refuse unknown members."""
        return self.body({JSON: {"schema": schema}}, FAULTS)


def question_of(request: Request) -> dict[str, object]:
    """The body, a JSON object (section 10.1.1). 400 for another media type or value, and for an ambiguous
    one; 413."""
    if request.mimetype != JSON:
        raise NotDeclaredJson()
    body = strict_json(whole_body(request))
    if not isinstance(body, dict):
        raise InvalidQuestion("Send one JSON object.")
    return body


def page_in(body: Mapping[str, object]) -> PageRequest:
    """The part of a search that is asked for (section 8.2.1), at most ``MAX_PAGE_SIZE`` results.

    400 for a token of another search, or with another limit.
    """
    page = body.get("page", {})
    if not isinstance(page, dict) or not isinstance(page.get("properties", {}), dict):
        raise InvalidQuestion("The member page, or page.properties, is not an object.")
    limit, token = page.get("limit", MAX_PAGE_SIZE), page.get("token")
    if type(limit) is not int or limit < 0:
        raise InvalidQuestion("The member page.limit is not a whole number from 0 up.")
    if "token" not in page:
        return PageRequest(min(limit, MAX_PAGE_SIZE), None, count=False)
    if not isinstance(token, str):
        raise InvalidQuestion("The member page.token is not text.")
    position = open_cursor(token, _search(body))
    if position is None:
        raise InvalidQuestion(
            "The member page.token is not a next_token of this search. Send it as it was given, with the"
            " same subject, action, resource and context."
        )
    first, after = position
    if "limit" in page and min(limit, MAX_PAGE_SIZE) != first:
        raise InvalidQuestion("The member page.limit is another one than in the first request.")
    return PageRequest(first, (after,), count=False)


def page_answer(found: Page[Any], body: Mapping[str, object], limit: int) -> Response:
    """The answer to a search (section 8.3); ``next_token`` is empty on the last page."""
    token = "" if found.next_key is None else signed_cursor([limit, *found.next_key], _search(body))
    page = {"next_token": token, "count": len(found.items)}
    return json_answer({"page": page, "results": found.items})


def _search(body: Mapping[str, object]) -> bytes:
    """What a token is signed for: all of the search but the page."""
    search = {name: body.get(name) for name in ("subject", "action", "resource", "context")}
    return json.dumps([request.path, search], sort_keys=True).encode()


def authzen_answer(error: ServiceError) -> Response:
    """The whole answer, with its challenge (section 11.3, RFC 6750 section 3) or Retry-After where needed."""
    status = authzen_status(type(error))
    answer = Response(orjson.dumps(_sentence(error)), status=status, content_type=JSON)
    if status in (401, 403):
        answer.headers["WWW-Authenticate"] = challenge_of(error)
    if isinstance(error, (TooManyAttempts, Unavailable)):
        answer.headers["Retry-After"] = str(error.retry_after)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _sentence(error: ServiceError) -> str:
    """The error as one sentence, as there are no members: with the first fault, or the number that explains a
    refusal."""
    if isinstance(error, Invalid) and error.faults:
        return f"{error.faults[0].pointer[:200] or 'The body'}: {error.faults[0].detail}"
    number = error.members.get("decision_id")
    return f"{error.detail} (decision_id: {number})" if number else error.detail


def authzen_status(error: type[ServiceError]) -> int:
    """The status of an error class; AuthZEN has no 422."""
    return 400 if issubclass(error, Invalid) else status_of(error)


def _prepare_authzen_doc(
    doc: Operation, doc_info: Description, *, spec: APISpec, **_kwargs: object
) -> Operation:
    """Document the real form of each refusal here."""
    if "body" not in doc_info:
        return doc
    permission = doc_info["manual_doc"]["x-permission"] or ""
    by_status: dict[int, list[type[ServiceError]]] = {}
    for problem in doc_info.get("problems", ()):
        by_status.setdefault(authzen_status(problem), []).append(problem)
        if issubclass(problem, AuthzenError):
            spec.components.examples.pop(problem.code, None)  # that of a problem document, which it never is
    doc["responses"].pop(422)
    for status, problems in sorted(by_status.items()):
        described = doc["responses"][status]
        described["description"] = "Refused: " + ", ".join(f"`{problem.code}`" for problem in problems)
        named = {problem.code: _to_json(problem, permission) for problem in problems}
        described["content"] = {JSON: {"schema": {"type": "string"}, "examples": named}}
    return doc


def _to_json(problem: type[ServiceError], permission: str) -> dict[str, str]:
    detail = problem.default_detail.replace(problem.example.get("required", permission), permission)
    return {"summary": problem.title, "value": detail}


register_error_format(VERBATIM, authzen_answer)
