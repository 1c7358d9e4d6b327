"""A blueprint whose decorators document what they do, with one fixed order: route, guard, etag, arguments, response, operation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, TypeVar

import flask_smorest

from rbac_api.errors import Invalid, ServiceError
from rbac_api.web.arguments import StrictParser
from rbac_api.web.problems import (
    MEDIA_TYPE,
    NotJson,
    PreconditionFailed,
    PreconditionRequired,
    TooLarge,
    Unreadable,
    problem_type,
    status_of,
)

F = TypeVar("F", bound=Callable[..., Any])
_PHRASES = {
    400: "Unreadable", 401: "Not signed in", 403: "Not allowed", 404: "Not found", 409: "The present state refuses", 412: "Stale ETag",
    413: "Too large", 415: "Not JSON", 422: "Invalid", 428: "If-Match required", 429: "Too many attempts", 503: "Unavailable",
}  # fmt: skip
_TAG_HEADER = {
    "ETag": {
        "description": "strong tag of this state, for If-Match and If-None-Match",
        "schema": {"type": "string"},
    }
}
_LOCATION_HEADER = {"Location": {"description": "address of what was created", "schema": {"type": "string"}}}


class Blueprint(flask_smorest.Blueprint):
    """flask-smorest's blueprint with strict arguments, problem documents in OpenAPI and a reader-friendly tag."""

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, import_name: str, *, tag: str, description: str, **options: Any) -> None:
        super().__init__(name, import_name, description=description, **options)
        self.tag = tag
        self._prepare_doc_cbks.append(_prepare_problem_doc)

    def route(self, rule: str, **options: Any) -> Callable[[F], F]:
        """Register a view under this blueprint's tag."""
        options.setdefault("tags", [self.tag])
        return super().route(rule, **options)

    def arguments(self, schema: Any, *, location: str = "json", **options: Any) -> Callable[[F], F]:
        """Parse a JSON body or a query; what can go wrong with it is documented."""
        found: tuple[type[ServiceError], ...] = (
            (Unreadable, TooLarge, NotJson, Invalid) if location == "json" else (Invalid,)
        )
        inner = super().arguments(schema, location=location, **options)

        def decorate(view: F) -> F:
            return document_problems(inner(view), found)

        return decorate

    def tagged(self, view: F) -> F:
        """Document a strong ETag on the answer and ``If-None-Match`` on a GET; ``web.etags`` does the work."""
        documented = _documented(view)
        documented._apidoc["tagged"] = True  # type: ignore[attr-defined]
        return documented

    def conditional(self, view: F) -> F:
        """Document a required ``If-Match``; ``web.etags`` does the work."""
        documented = document_problems(view, (PreconditionFailed, PreconditionRequired))
        documented._apidoc["conditional"] = True  # type: ignore[attr-defined]
        return documented

    @staticmethod
    def operation(operation_id: str, *problems: type[ServiceError]) -> Callable[[F], F]:
        """Name the operation as the service function it calls, and the problems that function may raise."""

        def decorate(view: F) -> F:
            documented = document_problems(view, problems)
            documented._apidoc["manual_doc"] = {"operationId": operation_id}  # type: ignore[attr-defined]
            return documented

        return decorate

    def _prepare_arguments_doc(self, doc: Any, doc_info: Any, **kwargs: Any) -> Any:
        if "arguments" in doc_info:
            doc_info["arguments"].pop("responses", None)  # its status names differ between Python versions
        return super()._prepare_arguments_doc(doc, doc_info, **kwargs)


def _documented(view: F) -> F:
    """The view itself, with documentation of its own: ``functools.wraps`` shares the dictionary, and writes would leak."""
    view._apidoc = deepcopy(getattr(view, "_apidoc", {}))  # type: ignore[attr-defined]
    return view


def document_problems(view: F, problems: Iterable[type[ServiceError]]) -> F:
    """Add problems to what the OpenAPI document says of a view."""
    documented = _documented(view)
    known = documented._apidoc.setdefault("problems", [])  # type: ignore[attr-defined]
    known += [problem for problem in problems if problem not in known]
    return documented


def document_access(
    view: F, *, permission: str | None, public: bool, problems: Iterable[type[ServiceError]]
) -> F:
    """Add a guard's meaning: security scheme, ``x-permission`` and the refusals it can answer."""
    documented = document_problems(view, problems)
    manual = documented._apidoc.setdefault("manual_doc", {})  # type: ignore[attr-defined]
    manual["security"] = [] if public else [{"bearerAuth": []}]
    manual["x-permission"] = permission
    return documented


def takes_query(view: Any) -> bool:
    """Whether the view declares query arguments."""
    parameters = getattr(view, "_apidoc", {}).get("arguments", {}).get("parameters", [])
    return any(parameter.get("in") in ("query", "querystring") for parameter in parameters)


def _prepare_problem_doc(
    doc: dict[str, Any], doc_info: dict[str, Any], *, method: str, **_kwargs: Any
) -> dict[str, Any]:
    responses = doc.setdefault("responses", {})
    for status, problems in sorted(_by_status(doc_info.get("problems", ())).items()):
        responses[status] = problem_response(status, problems)
    success = next((status for status in responses if int(status) < 300), None)
    if doc_info.get("tagged"):
        responses[success].setdefault("headers", {}).update(_TAG_HEADER)
        if method == "get":
            responses[304] = {
                "description": "Unchanged since the tag in If-None-Match",
                "headers": _TAG_HEADER,
            }
            doc.setdefault("parameters", []).append("IF_NONE_MATCH")
    if doc_info.get("conditional"):
        doc.setdefault("parameters", []).append("IF_MATCH")
    if success == 201:
        responses[success].setdefault("headers", {}).update(_LOCATION_HEADER)
    if method == "post" and success == 201:
        doc.setdefault("parameters", []).append("IDEMPOTENCY_KEY")
    return doc


def _by_status(problems: Iterable[type[ServiceError]]) -> dict[int, list[type[ServiceError]]]:
    found: dict[int, list[type[ServiceError]]] = {}
    for problem in sorted(problems, key=lambda p: p.code):
        found.setdefault(status_of(problem), []).append(problem)
    return found


def problem_response(status: int, problems: list[type[ServiceError]]) -> dict[str, Any]:
    """One status of one operation: the codes it may carry, each with an example."""
    codes = ", ".join(f"`{problem.code}`" for problem in problems)
    return {
        "description": f"{_PHRASES[status]}: {codes}",
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {
                    problem.code: {"summary": problem.title, "value": _example(problem, status)}
                    for problem in problems
                },
            }
        },
    }


def _example(problem: type[ServiceError], status: int) -> dict[str, Any]:
    value: dict[str, Any] = {
        "type": problem_type(problem.code),
        "title": problem.title,
        "status": status,
        "detail": problem.default_detail,
        "code": problem.code,
        "request_id": "5f0c2a4e9b1d4c7f8a3e6d2b1c0f9e8d",
    }
    if problem is Invalid:
        value["errors"] = [
            {"pointer": "/username", "code": "field.required", "detail": "This field is required."}
        ]
    return value
