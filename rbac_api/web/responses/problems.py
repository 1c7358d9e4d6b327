"""RFC 9457 problem documents: one table from kind to status, one body, for every status from every layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, SecurityError

from rbac_api.errors import (
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    ServiceError,
    TooManyAttempts,
    Unauthenticated,
    Unavailable,
)
from rbac_api.observability.logs import log
from rbac_api.observability.request_id import request_id

MEDIA_TYPE = "application/problem+json"
REALM = "rbac-api"


class ProtocolError(ServiceError):
    """A fault in how HTTP was spoken, found before anything about users or roles is asked; carries its own status."""

    status: ClassVar[int] = 400


class Unreadable(ProtocolError):
    code = "request.unreadable"
    title = "The request cannot be read"
    default_detail = "The body is not valid JSON in UTF-8. Send a single JSON value without duplicate keys."


class Malformed(ProtocolError):
    code = "request.malformed"
    title = "Not valid HTTP"
    default_detail = "The request is not valid HTTP/1.1, so the connection is closed. Check the client."


class HostInvalid(ProtocolError):
    code = "request.host_invalid"
    title = "Invalid Host header"
    default_detail = "The Host header is not a valid host name. Use the name or address of this service."


class CredentialsRepeated(ProtocolError):
    """Which of them counts would be a guess, and a proxy's may be another one (RFC 6750 section 3.1, ``invalid_request``)."""

    code = "credentials.repeated"
    title = "More than one set of credentials"
    default_detail = "The request has more than one Authorization header, or several credentials in one. Send a single one."
    challenge = "invalid_request"


class MethodNotAllowed(ProtocolError):
    status = 405
    code = "request.method_not_allowed"
    title = "Method not allowed"
    default_detail = "This path does not support that method; the Allow header lists the methods it supports."


class NotAcceptable(ProtocolError):
    status = 406
    code = "request.not_acceptable"
    title = "Not available in that format"
    default_detail = "This resource is not available in a format that the Accept header names. Send Accept: application/json."


class PreconditionFailed(ProtocolError):
    status = 412
    code = "etag.stale"
    title = "Changed since you read it"
    default_detail = (
        "The resource has changed since you read it. Read it again and send the new ETag in If-Match."
    )


class TooLarge(ProtocolError):
    status = 413
    code = "request.too_large"
    title = "Body too large"
    default_detail = "The body exceeds the limit of this operation, 64 KiB unless documented otherwise. Send a smaller one."


class UriTooLong(ProtocolError):
    status = 414
    code = "request.uri_too_long"
    title = "URL too long"
    default_detail = "The URL is too long. Shorten the query."


class NotJson(ProtocolError):
    status = 415
    code = "request.not_json"
    title = "Not JSON"
    default_detail = "Send the body as JSON, with Content-Type: application/json."


class PreconditionRequired(ProtocolError):
    status = 428
    code = "etag.required"
    title = "If-Match required"
    default_detail = (
        "Read the resource first and send its ETag in If-Match, so that no other change is overwritten."
    )


class HeadersTooLarge(ProtocolError):
    status = 431
    code = "request.headers_too_large"
    title = "Headers too large"
    default_detail = (
        "The headers exceed 32 KiB in total or 16 KiB for one header. Send fewer or shorter ones."
    )


class PathNotCanonical(NotFound):
    default_detail = (
        "Each address has one path. Write it without empty segments, `.`, `..`, `;`, `#` and backslashes, and percent-encode neither"
        " slashes nor letters, digits, `-`, `.`, `_` and `~`."
    )


class Unexpected(ProtocolError):
    status = 500
    code = "service.failed"
    title = "Unexpected failure"
    default_detail = "An unexpected error occurred. Nothing was changed. Report the request_id to the operator of this service."


STATUS: dict[type[ServiceError], int] = {
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    TooManyAttempts: 429,
    Unavailable: 503,
}
_BY_STATUS: dict[int, type[ServiceError]] = {
    400: Unreadable, 404: NotFound, 405: MethodNotAllowed, 412: PreconditionFailed, 413: TooLarge, 414: UriTooLong, 415: NotJson,
    422: Invalid, 428: PreconditionRequired, 429: TooManyAttempts, 503: Unavailable,
}  # fmt: skip
_BY_KIND: dict[type[HTTPException], type[ServiceError]] = {SecurityError: HostInvalid}
_OTHERWISE: dict[str, Callable[[ServiceError], Response]] = {}


def status_of(error: type[ServiceError]) -> int:
    """The HTTP status of an error class."""
    if issubclass(error, ProtocolError):
        return error.status
    return next((status for kind, status in STATUS.items() if issubclass(error, kind)), 500)


def problem_type(code: str) -> str:
    """The URI reference that documents a code (RFC 9457 section 3.1.1)."""
    return f"/problems/{code}"


def problem_body(error: ServiceError, request_id: str) -> dict[str, Any]:
    """The document's members; ``internal`` is not among them."""
    body: dict[str, Any] = {
        "type": problem_type(error.code),
        "title": error.title,
        "status": status_of(type(error)),
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
        **error.members,
    }
    if isinstance(error, Invalid) and error.faults:
        body["errors"] = [
            {"pointer": fault.pointer, "code": fault.code, "detail": fault.detail} for fault in error.faults
        ]
        body |= {"total": error.total} if error.more else {}
    return body


def problem_answer(error: ServiceError) -> Response:
    """The whole answer, with its challenge (RFC 6750 section 3) or Retry-After (RFC 9110 section 10.2.3) where one is due."""
    if error.internal:
        log.warning("request.refused", code=error.code, internal=error.internal)
    for prefix, answer_of in _OTHERWISE.items():
        if request.path.startswith(prefix):
            return answer_of(error)
    body = problem_body(error, request_id())
    return problem_document(error, {**body, "type": request.script_root + body["type"]})


def problem_document(error: ServiceError, body: dict[str, Any]) -> Response:
    """These members as an answer, with the headers that belong to the error."""
    dumped = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    answer = Response(dumped, status=body["status"], content_type=MEDIA_TYPE)
    if body["status"] in (401, 403) or error.challenge:
        answer.headers["WWW-Authenticate"] = challenge_of(error)
    if isinstance(error, (TooManyAttempts, Unavailable)):
        answer.headers["Retry-After"] = str(error.retry_after)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def answer_otherwise(prefix: str, answer_of: Callable[[ServiceError], Response]) -> None:
    """Declare that below this path every error, of whatever layer, has the form of another protocol."""
    _OTHERWISE[prefix] = answer_of


def challenge_of(error: ServiceError) -> str:
    """What stands in ``WWW-Authenticate`` (RFC 6750 section 3)."""
    parts = [f'Bearer realm="{REALM}"']
    if error.challenge:
        parts.append(f'error="{error.challenge}"')
        parts.append(f'error_description="{error.title}"')
    if max_age := error.members.get("max_age"):
        parts.append(f'max_age="{max_age}"')
    if required := error.members.get("required"):
        parts.append(f'scope="{required}"')
    return ", ".join(parts)


def http_problem(error: HTTPException) -> Response:
    """What the framework refuses, in the same form; its own words stay out."""
    if error.response is not None and error.code is None:
        return error.response  # type: ignore[return-value]
    status = error.code or 500
    if status < 400:
        return error.get_response()  # type: ignore[return-value]
    refused = _BY_KIND.get(type(error)) or _BY_STATUS.get(status)
    answer = problem_answer((refused or (Unreadable if status < 500 else Unexpected))())
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        answer.headers["Allow"] = ", ".join(sorted(allowed))
    return answer


def unexpected_problem(error: Exception) -> Response:
    """The last resort: logged whole, answered without a word of it."""
    log.error("request.failed", path=request.path, method=request.method, exc_info=error)
    return problem_answer(Unexpected())


def register_problems(app: Flask) -> None:
    """Answer every error of this application with a problem document."""
    app.register_error_handler(ServiceError, problem_answer)
    app.register_error_handler(HTTPException, http_problem)
    app.register_error_handler(Exception, unexpected_problem)
