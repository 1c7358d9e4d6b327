"""flask-smorest, opened: the only file here that names underscored parts of a library.

flask-smorest keeps what its decorators say of a view in ``_apidoc`` and makes operations of it by a list of functions,
``_prepare_doc_cbks``.  It offers no public way to add to either, and none to leave out the answers, headers and error handlers that it puts
into every application.  Everything else in this service goes through the functions and classes below.
``tests/contract/test_closed_libraries.py`` fails if one of these parts moves, and if any other file opens a library.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import flask_smorest


def description_of(view: Any) -> Mapping[str, Any]:
    """What is documented of a view so far; nothing of a view that is none of ours."""
    found: Mapping[str, Any] = getattr(view, "_apidoc", {})
    return found


def described(view: Any) -> dict[str, Any]:
    """The view's own description, to write into: ``functools.wraps`` shares it with the view inside, where writes would leak."""
    view._apidoc = deepcopy(getattr(view, "_apidoc", {}))
    return view._apidoc  # type: ignore[no-any-return]


class ExtensibleBlueprint(flask_smorest.Blueprint):
    """A blueprint whose documentation others may add to; without answers named by status, which differ between Python versions."""

    def document_by(self, prepare: Callable[..., dict[str, Any]]) -> None:
        """Let a function complete the documentation of each operation."""
        self._prepare_doc_cbks.append(prepare)

    def _prepare_arguments_doc(self, doc: Any, doc_info: Any, **kwargs: Any) -> Any:
        doc_info.get("arguments", {}).pop("responses", None)
        return super()._prepare_arguments_doc(doc, doc_info, **kwargs)


class BareApi(flask_smorest.Api):
    """An Api that adds nothing of its own to the document, and answers no errors."""

    def _register_responses(self) -> None:
        """None by status name: the names differ between Python versions, and each operation names its own."""

    def _register_error_handlers(self) -> None:
        """None here: ``web.responses.problems`` answers every error."""

    def _register_etag_headers(self) -> None:
        """None here: ``web.openapi.descriptions`` has its own."""

    def _register_pagination_header(self) -> None:
        """None: pages go by cursor."""
