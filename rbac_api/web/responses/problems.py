"""RFC 9457 problem documents: one body, for every status from every layer."""

from __future__ import annotations

from collections.abc import Callable

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, SecurityError

from rbac_api.errors import (
    Invalid,
    NotFound,
    ServiceError,
    TooManyAttempts,
    Unavailable,
)
from rbac_api.formats.http_errors import (
    REALM,
    HostInvalid,
    MethodNotAllowed,
    NotJson,
    PreconditionFailed,
    PreconditionRequired,
    TooLarge,
    Unexpected,
    Unreadable,
    UriTooLong,
    status_of,
)
from rbac_api.observability.logs import log, request_id

MEDIA_TYPE = "application/problem+json"


_BY_STATUS: dict[int, type[ServiceError]] = {
    400: Unreadable, 404: NotFound, 405: MethodNotAllowed, 412: PreconditionFailed, 413: TooLarge,
    414: UriTooLong, 415: NotJson, 422: Invalid, 428: PreconditionRequired, 429: TooManyAttempts,
    503: Unavailable,
}  # fmt: skip
_BY_KIND: dict[type[HTTPException], type[ServiceError]] = {SecurityError: HostInvalid}
_OTHERWISE: dict[str, Callable[[ServiceError], Response]] = {}


def problem_type(code: str) -> str:
    """Return the URI reference that documents a code (RFC 9457 section 3.1.1)."""
    return f"/problems/{code}"


def problem_body(error: ServiceError, request_id: str) -> dict[str, object]:
    """Return the members of the problem document, without ``internal``."""
    body: dict[str, object] = {
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
    """Return the whole answer.

    It has a challenge (RFC 6750 section 3) or Retry-After (RFC 9110 section 10.2.3) where that is required.
    """
    if error.internal:
        log.warning("request.refused", code=error.code, internal=error.internal)
    for prefix, answer_of in _OTHERWISE.items():
        if request.path.startswith(prefix):
            return answer_of(error)
    body = problem_body(error, request_id())
    return problem_document(error, {**body, "type": request.script_root + problem_type(error.code)})


def problem_document(error: ServiceError, body: dict[str, object]) -> Response:
    """Return an answer with these members and the headers that belong to the error."""
    dumped = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    answer = Response(dumped, status=status_of(type(error)), content_type=MEDIA_TYPE)
    if answer.status_code in (401, 403) or error.challenge:
        answer.headers["WWW-Authenticate"] = challenge_of(error)
    if isinstance(error, (TooManyAttempts, Unavailable)):
        answer.headers["Retry-After"] = str(error.retry_after)
    answer.headers["Cache-Control"] = "no-store"
    return answer


def register_error_format(prefix: str, answer_of: Callable[[ServiceError], Response]) -> None:
    """Register another error format for every error below this path, whichever layer raises it."""
    _OTHERWISE[prefix] = answer_of


def challenge_of(error: ServiceError) -> str:
    """Return the value of ``WWW-Authenticate`` (RFC 6750 section 3)."""
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
    """Answer the framework's errors in the same form, without the framework's texts."""
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
    """Answer an unexpected exception: it is logged in full, and the answer reveals nothing of it."""
    log.error("request.failed", path=request.path, method=request.method, exc_info=error)
    return problem_answer(Unexpected())


def register_problems(app: Flask) -> None:
    """Answer every error of this application with a problem document."""
    app.register_error_handler(ServiceError, problem_answer)
    app.register_error_handler(HTTPException, http_problem)
    app.register_error_handler(Exception, unexpected_problem)
