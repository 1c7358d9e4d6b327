"""Bodies that are whole documents in JSON or YAML, read by the view itself.

``web.server.middleware`` allows them more bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import marshmallow as ma
from flask import Request, Response, request

from rbac_api.errors import ServiceError
from rbac_api.formats.http_errors import ProtocolError, TooLarge, Unreadable
from rbac_api.formats.strict_yaml import parse_yaml, yaml_text
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.requests.arguments import strict_json, whole_body
from rbac_api.web.requests.yaml_bodies import strict_yaml
from rbac_api.web.responses.json_response import json_answer, preferred

F = TypeVar("F", bound=Callable[..., Any])
JSON = "application/json"
YAML = "application/yaml"  # RFC 9512
_YAMLS = (YAML, "application/x-yaml", "text/yaml")


class NotDocument(ProtocolError):
    status = 415
    code = "request.not_document"
    title = "Neither JSON nor YAML"
    default_detail = (
        "Send the document as JSON (Content-Type: application/json) or as YAML (application/yaml)."
    )


class DocumentBlueprint(Blueprint):
    """A blueprint whose operations may take a document."""

    def document(
        self, schema: type[ma.Schema], example: str, *problems: type[ServiceError]
    ) -> Callable[[F], F]:
        """Document a body that is a document; ``document_of`` reads it.

        ``problems``: its further problems.
        """
        content = {JSON: {"schema": schema}, YAML: {"schema": schema, "example": parse_yaml(example)}}
        return self.body(content, (Unreadable, TooLarge, NotDocument, *problems))


def document_of(asked: Request) -> object:
    """Parse the body as JSON or YAML. 400 for ambiguous or deeply nested content; 413, 415."""
    if asked.mimetype == JSON:
        return strict_json(whole_body(asked))
    if asked.mimetype in _YAMLS:
        return strict_yaml(whole_body(asked))
    raise NotDocument()


def wants_yaml() -> bool:
    """Return True if ``Accept`` prefers YAML; JSON is the default."""
    return preferred(JSON, *_YAMLS) != JSON


def document_answer(document: object, tag: str) -> Response:
    """Answer with the document as JSON or YAML, each with its own strong tag; 304 if the caller has it."""
    yaml = wants_yaml()
    tag = f"{tag}-yaml" if yaml else tag
    if request.if_none_match.contains(tag):
        answer = Response(status=304)
    elif yaml:
        answer = Response(yaml_text(document), content_type=f"{YAML}; charset=utf-8")
    else:
        answer = json_answer(document)
    answer.set_etag(tag)
    answer.vary.add("Accept")
    return answer
