"""Bodies that are whole documents in JSON or YAML, read by the view itself.

``web.server.middleware`` allows them more bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from io import SEEK_END
from typing import IO, Any, TypeVar

import marshmallow as ma
from flask import Request, Response, request

from rbac_api.errors import ServiceError
from rbac_api.formats.http_errors import ProtocolError, TooLarge, Unreadable
from rbac_api.formats.strict_yaml import parse_yaml
from rbac_api.web.openapi.blueprint import Blueprint
from rbac_api.web.requests.arguments import strict_json, whole_body
from rbac_api.web.requests.yaml_bodies import strict_yaml
from rbac_api.web.responses.json_response import preferred

F = TypeVar("F", bound=Callable[..., Any])
JSON = "application/json"
PIECE = 64 * 1024  # bytes
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


def document_answer(file: IO[bytes], tag: str) -> Response:
    """Answer with a document in the form that the caller wants, read from a file which is then closed; 304 if
    the caller has it."""
    if request.if_none_match.contains(tag):
        answer = Response(status=304)
    else:
        form = f"{YAML}; charset=utf-8" if wants_yaml() else JSON
        answer = Response(_pieces(file), content_type=form)
        answer.content_length = file.seek(0, SEEK_END)
        answer.call_on_close(file.close)
    answer.set_etag(tag)
    answer.vary.add("Accept")
    return answer


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece
