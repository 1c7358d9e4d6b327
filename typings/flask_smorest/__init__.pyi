"""The part of flask-smorest that we use, typed: the library ships no types of its own."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, ClassVar, NoReturn, TypeVar

import apispec
import flask
import marshmallow
from flask.typing import ResponseReturnValue
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import HTTPException

_F = TypeVar("_F", bound=Callable[..., Any])
_V = TypeVar("_V", bound=Callable[..., Any])
_Schema = marshmallow.Schema | type[marshmallow.Schema] | str | dict[str, Any]
_Status = int | str | HTTPStatus

class Api:
    DEFAULT_ERROR_RESPONSE_NAME: ClassVar[str | None]
    DEFAULT_REQUEST_BODY_CONTENT_TYPE: ClassVar[str]
    DEFAULT_RESPONSE_CONTENT_TYPE: ClassVar[str]
    ERROR_SCHEMA: ClassVar[type[marshmallow.Schema]]
    spec: apispec.APISpec
    ma_plugin: Any  # its converter is set by the time anyone outside can reach it
    config: Mapping[str, Any]
    config_prefix: str
    _app: flask.Flask
    def __init__(
        self,
        app: flask.Flask | None = ...,
        *,
        spec_kwargs: dict[str, Any] | None = ...,
        config_prefix: str = ...,
    ) -> None: ...
    def init_app(self, app: flask.Flask, *, spec_kwargs: dict[str, Any] | None = ...) -> None: ...
    def register_blueprint(self, blp: Any, **options: Any) -> None: ...
    def register_field(self, field: type[marshmallow.fields.Field[Any]], *args: Any) -> None: ...
    def register_converter(self, converter: type, func: Callable[..., dict[str, Any]]) -> None: ...
    def handle_http_exception(self, error: HTTPException) -> ResponseReturnValue: ...
    def _register_error_handlers(self) -> None: ...
    def _register_responses(self) -> None: ...
    def _register_etag_headers(self) -> None: ...
    def _register_pagination_header(self) -> None: ...
    def _register_doc_blueprint(self) -> None: ...

class Blueprint(flask.Blueprint):
    ARGUMENTS_PARSER: FlaskParser
    HTTP_METHODS: ClassVar[Sequence[str]]
    DEFAULT_LOCATION_CONTENT_TYPE_MAPPING: ClassVar[Mapping[str, str]]
    METHODS_CHECKING_NOT_MODIFIED: ClassVar[Sequence[str]]
    METHODS_NEEDING_CHECK_ETAG: ClassVar[Sequence[str]]
    METHODS_ALLOWING_SET_ETAG: ClassVar[Sequence[str]]
    ETAG_INCLUDE_HEADERS: ClassVar[Sequence[str]]
    description: str
    _prepare_doc_cbks: list[Callable[..., dict[str, Any]]]
    def __init__(
        self, name: str, import_name: str, *args: Any, description: str = ..., **kwargs: Any
    ) -> None: ...
    def route(
        self,
        rule: str,
        *,
        parameters: list[Any] | None = ...,
        tags: list[str] | None = ...,
        **options: Any,
    ) -> Callable[[_V], _V]: ...
    def arguments(
        self,
        schema: _Schema,
        *,
        location: str = ...,
        content_type: str | None = ...,
        required: bool = ...,
        description: str | None = ...,
        example: Any = ...,
        examples: Mapping[str, Any] | None = ...,
        **kwargs: Any,
    ) -> Callable[[_F], _F]: ...
    def response(
        self,
        status_code: _Status,
        schema: _Schema | None = ...,
        *,
        content_type: str | None = ...,
        description: str | None = ...,
        example: Any = ...,
        examples: Mapping[str, Any] | None = ...,
        headers: Mapping[str, Any] | None = ...,
    ) -> Callable[[_F], _F]: ...
    def alt_response(
        self,
        status_code: _Status,
        response: str | None = ...,
        *,
        schema: _Schema | None = ...,
        content_type: str | None = ...,
        description: str | None = ...,
        example: Any = ...,
        examples: Mapping[str, Any] | None = ...,
        headers: Mapping[str, Any] | None = ...,
        success: bool = ...,
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
    def etag(self, obj: _F) -> _F: ...
    def check_etag(self, etag_data: Any, etag_schema: _Schema | None = ...) -> None: ...
    def set_etag(self, etag_data: Any, etag_schema: _Schema | None = ...) -> None: ...
    @staticmethod
    def doc(**kwargs: Any) -> Callable[[_F], _F]: ...
    def _prepare_arguments_doc(
        self, doc: dict[str, Any], doc_info: dict[str, Any], *, api: Api, spec: apispec.APISpec, **kwargs: Any
    ) -> dict[str, Any]: ...
    def _prepare_etag_doc(
        self, doc: dict[str, Any], doc_info: dict[str, Any], *, api: Api, spec: apispec.APISpec, method: str,
        **kwargs: Any,
    ) -> dict[str, Any]: ...
    @staticmethod
    def _prepare_response_doc(
        doc: dict[str, Any], doc_info: dict[str, Any], *, api: Api, spec: apispec.APISpec, **kwargs: Any
    ) -> dict[str, Any]: ...
    @staticmethod
    def _prepare_response_content(data: Any) -> Any: ...

def abort(http_status_code: int, exc: Exception | None = ..., **kwargs: Any) -> NoReturn: ...
