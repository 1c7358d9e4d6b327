"""A blueprint whose decorators document what they do.

Their order is fixed: route, guard, etag, arguments, response, operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

import marshmallow as ma
from apispec import APISpec

from rbac_api.errors import Invalid, ServiceError, TooManyAttempts
from rbac_api.formats.diagram import PictureTooLarge
from rbac_api.formats.http_errors import (
    NotAcceptable,
    NotJson,
    PreconditionFailed,
    PreconditionRequired,
    TooLarge,
    Unreadable,
    status_of,
)
from rbac_api.web.fields import PageQuery
from rbac_api.web.openapi.descriptions import TAG_UNLESS_PAST, path_parameters, problem_response
from rbac_api.web.openapi.smorest import (
    Answer,
    Description,
    ExtensibleBlueprint,
    Operation,
    View,
    described,
    description_of,
)
from rbac_api.web.requests.arguments import StrictParser
from rbac_api.web.requests.as_of import AtQuery
from rbac_api.web.responses.json_response import MERMAID, SVG, refuse_unavailable

_JSON = "application/json"
PICTURES = {
    SVG: '<svg xmlns="http://www.w3.org/2000/svg" width="400" height="300"><title>Roles</title></svg>',
    MERMAID: 'flowchart LR\n  n0["bookkeeper"]\n  n1["reader"]\n  n0 --> n1\n',
}
F = TypeVar("F", bound=Callable[..., Any])


class Blueprint(ExtensibleBlueprint):
    """flask-smorest's blueprint with strict arguments, documented problems and one tag."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(
        self, name: str, import_name: str, *, tag: str, description: str, url_prefix: str | None = None
    ) -> None:
        super().__init__(name, import_name, description=description, url_prefix=url_prefix)
        self.tag = tag
        self.document_by(_prepare_problem_doc)

    def route(self, rule: str, **options: object) -> Callable[[F], F]:
        """Register a view under this blueprint's tag."""
        return super().route(rule, tags=[self.tag], parameters=path_parameters(rule), **options)

    def arguments(
        self,
        schema: type[ma.Schema],
        *,
        location: str = "json",
        required: bool = True,
        example: object = None,
    ) -> Callable[[F], F]:
        """Parse a JSON body or a query; what can go wrong with it is documented.

        A schema may have the one that the document shows instead of it as its attribute ``documented``.
        """
        found: tuple[type[ServiceError], ...] = (
            (Unreadable, TooLarge, NotJson, Invalid) if location == "json" else (Invalid,)
        )
        # An instance: given the class, webargs would make one for every request.
        inner = super().arguments(schema(), location=location, required=required, example=example)

        def decorate(view: F) -> F:
            parsed = inner(view)
            about = description_of(parsed)
            about["arguments"]["parameters"][-1]["schema"] = getattr(schema, "documented", schema)
            about["paged"], about["as_of"] = issubclass(schema, PageQuery), issubclass(schema, AtQuery)
            return document_problems(parsed, found)

        return decorate

    @staticmethod
    def body(content: Mapping[str, object], problems: Iterable[type[ServiceError]]) -> Callable[[F], F]:
        """Document a required body that the view reads itself; ``content`` maps media types."""

        def decorate(view: F) -> F:
            documented = document_problems(view, problems)
            described(documented)["body"] = content
            return documented

        return decorate

    def response(
        self,
        status_code: int,
        schema: type[ma.Schema] | dict[str, object] | None = None,
        *,
        content_type: str | None = None,
        description: str | None = None,
    ) -> Callable[[F], F]:
        """Document an answer.

        A ``get`` with a schema refuses an ``Accept`` for a file format that it does not offer.
        """
        inner = super().response(status_code, schema, content_type=content_type, description=description)

        def decorate(view: F) -> F:
            if schema is None or view.__name__ != "get":
                return inner(view)
            offered = (_JSON, *description_of(view).get("also_as", {}))
            return inner(document_problems(_negotiated(view, offered), (NotAcceptable,)))

        return decorate

    def tagged(self, view: F) -> F:
        """Document a strong ETag and a GET's ``If-None-Match``, which ``web.requests.etags`` implements."""
        described(view)["tagged"] = True
        return view

    def with_headers(self, *names: str) -> Callable[[F], F]:
        """Document further headers of the answer, see ``descriptions``."""

        def decorate(view: F) -> F:
            described(view)["headers"] = names
            return view

        return decorate

    def conditional(self, view: F) -> F:
        """Document a required ``If-Match``; ``web.requests.etags`` does the work."""
        documented = document_problems(view, (PreconditionFailed, PreconditionRequired))
        described(documented)["conditional"] = True
        return documented

    def also_as(self, media_type: str, example: str) -> Callable[[F], F]:
        """Document another media type of the successful answer; the view looks at ``Accept`` itself."""

        def decorate(view: F) -> F:
            described(view).setdefault("also_as", {})[media_type] = example
            return view

        return decorate

    def drawn(self, view: F) -> F:
        """Document a picture of the successful answer, which the view draws where ``Accept`` asks for it."""
        for media_type, example in PICTURES.items():
            self.also_as(media_type, example)(view)
        return document_problems(view, (PictureTooLarge,))

    @staticmethod
    def or_response(schema: type[ma.Schema]) -> Callable[[F], F]:
        """Document another shape of the successful answer, which the caller chooses."""

        def decorate(view: F) -> F:
            described(view)["or_schema"] = schema
            return view

        return decorate

    @staticmethod
    def operation(
        operation_id: str, *problems: type[ServiceError], security: Sequence[Mapping[str, object]] = ()
    ) -> Callable[[F], F]:
        """Name the operation as the service function it calls, and the problems that function may raise.

        ``security``: the credentials that a public operation looks at by itself.
        """

        def decorate(view: F) -> F:
            documented = document_problems(view, problems)
            described(documented)["manual_doc"] = {"operationId": operation_id, "security": list(security)}
            return documented

        return decorate


def _negotiated(view: F, offered: tuple[str, ...]) -> F:
    @wraps(view)
    def negotiated(*args: object, **kwargs: object) -> object:
        refuse_unavailable(offered)
        return view(*args, **kwargs)

    return negotiated  # type: ignore[return-value]


def document_problems(view: F, problems: Iterable[type[ServiceError]]) -> F:
    """Add problems to what the OpenAPI document says of a view."""
    known = described(view).setdefault("problems", [])
    known += [problem for problem in problems if problem not in known]
    return view


def document_access(
    view: F, *, permission: str | None, public: bool, problems: Iterable[type[ServiceError]]
) -> F:
    """Add a guard's meaning: security scheme, ``x-permission`` and the refusals it can answer."""
    documented = document_problems(view, problems)
    manual = described(documented).setdefault("manual_doc", {})
    manual["security"] = manual.get("security", []) if public else [{"bearerAuth": []}]
    manual["x-permission"] = permission
    return documented


def refuses_query(view: View) -> bool:
    """Return True for an operation of this service without query arguments.

    Views of a host application are not checked.
    """
    return _is_ours(view) and not _reads(view, "query")


def refuses_body(view: View) -> bool:
    """Return True for an operation of this service without a body."""
    return _is_ours(view) and "body" not in description_of(view) and not _reads(view, "json")


def _is_ours(view: View) -> bool:
    return "operationId" in description_of(view).get("manual_doc", {})


def _reads(view: View, location: str) -> bool:
    parameters = description_of(view).get("arguments", {}).get("parameters", [])
    return any(parameter["in"] == location for parameter in parameters)


def documents(view: View, problem: type[ServiceError]) -> bool:
    """Return True for an operation of this service that documents this problem."""
    return problem in description_of(view).get("problems", ())


def _prepare_problem_doc(
    doc: Operation, doc_info: Description, *, spec: APISpec, method: str, **_kwargs: object
) -> Operation:
    responses = doc.setdefault("responses", {})
    permission = doc_info.get("manual_doc", {}).get("x-permission")
    for status, problems in sorted(_by_status(doc_info.get("problems", ())).items()):
        responses[status] = problem_response(spec, status, problems, permission)
    success = next((answer for status, answer in responses.items() if int(status) < 300), Answer())
    headers, parameters = success.setdefault("headers", {}), doc.setdefault("parameters", [])
    if "body" in doc_info:
        doc["requestBody"] = {"required": True, "content": doc_info["body"]}
    if doc_info.get("tagged"):
        headers["ETag"] = TAG_UNLESS_PAST if doc_info.get("as_of") else "ETag"
        if method == "get":
            responses[304] = {
                "description": "Unchanged since the tag in If-None-Match",
                "headers": {"ETag": "ETag"},
            }
            parameters.append("If-None-Match")
    if doc_info.get("conditional"):
        parameters.append("If-Match")
    if method == "post" and 201 in map(int, responses):
        headers["Location"] = "Location"
        parameters.append("Idempotency-Key")
    headers |= {name: name for name in doc_info.get("headers", ())}
    if doc_info.get("paged"):
        headers["Link"] = "Link"
    _add_limits(responses, success, doc_info)
    _add_shapes(success, doc_info)
    return doc


def _add_limits(responses: dict[int | str, Answer], success: Answer, doc_info: Description) -> None:
    """Document the rate limit headers on every answer of an operation that can answer 429."""
    if TooManyAttempts in doc_info.get("problems", ()):
        for answer in (success, responses[429]):
            answer["headers"].update({name: name for name in ("RateLimit", "RateLimit-Policy")})


def _add_shapes(success: Answer, doc_info: Description) -> None:
    """Document the other forms of the successful answer."""
    if "or_schema" in doc_info:
        answer = success["content"]["application/json"]
        answer["schema"] = {"oneOf": [answer["schema"], doc_info["or_schema"]]}
    for media_type, example in doc_info.get("also_as", {}).items():
        success["content"][media_type] = {"schema": {"type": "string"}, "example": example}


def _by_status(problems: Iterable[type[ServiceError]]) -> dict[int, list[type[ServiceError]]]:
    found: dict[int, list[type[ServiceError]]] = {}
    for problem in sorted(set(problems), key=lambda p: p.code):
        found.setdefault(status_of(problem), []).append(problem)
    return found
