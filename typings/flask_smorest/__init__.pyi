"""The part of flask-smorest that we use, typed: the library ships no types of its own."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, TypeVar

import apispec
import flask
import marshmallow
from webargs.flaskparser import FlaskParser

_F = TypeVar("_F", bound=Callable[..., Any])

class Api:
    DEFAULT_ERROR_RESPONSE_NAME: ClassVar[str | None]
    spec: apispec.APISpec
    ma_plugin: Any  # its converter is set by the time anyone outside can reach it
    def __init__(
        self, app: flask.Flask | None = ..., *, spec_kwargs: dict[str, Any] | None = ...
    ) -> None: ...
    def register_blueprint(self, blp: Any, **options: Any) -> None: ...
    def _register_error_handlers(self) -> None: ...
    def _register_responses(self) -> None: ...
    def _register_etag_headers(self) -> None: ...
    def _register_pagination_header(self) -> None: ...

class Blueprint(flask.Blueprint):
    ARGUMENTS_PARSER: FlaskParser
    description: str
    _prepare_doc_cbks: list[Callable[..., Mapping[str, object]]]
    def __init__(
        self, name: str, import_name: str, *, description: str = ..., url_prefix: str | None = ...
    ) -> None: ...
    def route(
        self,
        rule: str,
        *,
        parameters: list[dict[str, object]] | None = ...,
        tags: list[str] | None = ...,
        **options: Any,
    ) -> Callable[[_F], _F]: ...
    def arguments(
        self,
        schema: Any,  # a class or an instance
        *,
        location: str = ...,
        required: bool = ...,
        example: object = ...,
    ) -> Callable[[_F], _F]: ...
    def response(
        self,
        status_code: int,
        schema: type[marshmallow.Schema] | dict[str, Any] | None = ...,
        *,
        content_type: str | None = ...,
        description: str | None = ...,
    ) -> Callable[[_F], _F]: ...
    def register_views_in_doc(
        self,
        api: Api,
        app: flask.Flask,
        spec: apispec.APISpec,
        *,
        name: str,
        parameters: list[dict[str, Any]] | None,
    ) -> None: ...
    @staticmethod
    def doc(**kwargs: Any) -> Callable[[_F], _F]: ...
    def _prepare_arguments_doc(self, doc: Any, doc_info: Any, **kwargs: Any) -> Any: ...
