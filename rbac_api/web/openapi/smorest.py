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
from typing import Any

import flask_smorest


def description_of(view: Any) -> Mapping[str, Any]:
    """Return the documentation of a view so far; empty for a view of a host application."""
    found: Mapping[str, Any] = getattr(view, "_apidoc", {})
    return found


def described(view: Any) -> dict[str, Any]:
    """Return the view's own documentation for writing.

    ``functools.wraps`` shares it with the inner view, where writes would leak, so it is copied first.
    """
    view._apidoc = deepcopy(getattr(view, "_apidoc", {}))
    return view._apidoc  # type: ignore[no-any-return]


class ExtensibleBlueprint(flask_smorest.Blueprint):
    """A blueprint whose documentation can be extended.

    It has no answers named by status, because those names differ between Python versions.
    """

    def document_by(self, prepare: Callable[..., dict[str, Any]]) -> None:
        """Let a function complete the documentation of each operation."""
        self._prepare_doc_cbks.append(prepare)

    def _prepare_arguments_doc(self, doc: Any, doc_info: Any, **kwargs: Any) -> Any:
        doc_info.get("arguments", {}).pop("responses", None)
        return super()._prepare_arguments_doc(doc, doc_info, **kwargs)


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
