"""Extends flask-smorest; the only file that uses private names of a library.

flask-smorest stores the documentation of a view in ``_apidoc``, and makes operations of it with a list of
functions, ``_prepare_doc_cbks``. It has no public way to add to either, and none to leave out the answers,
headers and error handlers that it adds to every application. The rest of this service uses the functions and
classes below. ``tests/contract/test_closed_libraries.py`` fails if one of these parts moves, and if any other
file uses private names of a library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, TypedDict

import flask_smorest
import marshmallow as ma

from rbac_api.errors import ServiceError

View = Callable[..., object]


Manual = TypedDict(
    "Manual",
    {"operationId": str, "security": list[Mapping[str, object]], "x-permission": str | None},
    total=False,
)
"""What is written into the operation unchanged."""


class Description(TypedDict, total=False):
    """What decorators say of a view: ``arguments`` and ``manual_doc`` for the library, the rest for us."""

    arguments: dict[str, list[dict[str, object]]]
    manual_doc: Manual
    problems: list[type[ServiceError]]
    body: Mapping[str, object]
    tagged: bool
    conditional: bool
    paged: bool
    as_of: bool
    also_as: dict[str, str]
    headers: tuple[str, ...]
    or_schema: type[ma.Schema]


class Answer(TypedDict, total=False):
    """One answer of an operation."""

    description: str
    headers: dict[str, object]
    content: dict[str, dict[str, object]]


class Operation(TypedDict, total=False):
    """What of an operation of the OpenAPI document is completed here."""

    parameters: list[str]
    requestBody: Mapping[str, object]
    responses: dict[int | str, Answer]


def description_of(view: View) -> Description:
    """Return the documentation of a view so far; empty for a view of a host application."""
    found: Description = getattr(view, "_apidoc", None) or Description()
    return found


def described(view: View) -> Description:
    """Return the view's own documentation for writing.

    ``functools.wraps`` shares it with the inner view, where writes would leak: then it is copied first. What
    is the view's own already is not: a copy for each decorator would take a fifth of a program's start.
    """
    own = description_of(view)
    inner = getattr(view, "__wrapped__", None)
    if inner is not None and own is getattr(inner, "_apidoc", None):
        own = deepcopy(own)
    view.__dict__["_apidoc"] = own
    return own


class ExtensibleBlueprint(flask_smorest.Blueprint):
    """A blueprint whose documentation can be extended.

    It has no answers named by status, because those names differ between Python versions.
    """

    def document_by(self, prepare: Callable[..., Operation]) -> None:
        """Let a function complete the documentation of each operation."""
        self._prepare_doc_cbks.append(prepare)

    @staticmethod
    def _make_doc_response_schema(schema: object) -> object:
        """Document the class of a schema: each decorator copies what the ones below it documented."""
        return type(schema) if isinstance(schema, ma.Schema) else schema

    def _prepare_arguments_doc(
        self, doc: Operation, doc_info: dict[str, dict[str, object]], **kwargs: Any
    ) -> Operation:
        doc_info.get("arguments", {}).pop("responses", None)
        completed: Operation = super()._prepare_arguments_doc(doc, doc_info, **kwargs)
        return completed


class BareApi(flask_smorest.Api):
    """An Api that adds nothing of its own to the document, and answers no errors."""

    def _register_responses(self) -> None:
        """Register none: the names differ between Python versions, and each operation documents its own."""

    def _register_error_handlers(self) -> None:
        """Register none: ``web.responses.problems`` answers every error."""

    def _register_etag_headers(self) -> None:
        """Register none: ``web.openapi.descriptions`` has its own."""

    def _register_pagination_header(self) -> None:
        """Register none: pages use cursors."""
