"""The violations of HTTP, and the one table from an error's kind to its status."""

from __future__ import annotations

from typing import ClassVar

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

REALM = "rbac-api"


class ProtocolError(ServiceError):
    """A violation of HTTP, found before users or roles are looked at. It carries its own status."""

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
    """More than one set of credentials (RFC 6750 section 3.1, ``invalid_request``).

    Choosing one would be a guess, and a proxy may choose another.
    """

    code = "credentials.repeated"
    title = "More than one set of credentials"
    default_detail = (
        "The request has more than one Authorization header, or several credentials in one. Send a "
        "single one."
    )
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
    default_detail = (
        "This resource is not available in a format that the Accept header names. Send Accept: "
        "application/json."
    )


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
    default_detail = (
        "The body exceeds the limit of this operation, 64 KiB unless documented otherwise. Send a "
        "smaller one."
    )


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
        "Each address has one path. Write it without empty segments, `.`, `..`, `;`, `#` and "
        "backslashes, and percent-encode neither"
        " slashes nor letters, digits, `-`, `.`, `_` and `~`."
    )


class Unexpected(ProtocolError):
    status = 500
    code = "service.failed"
    title = "Unexpected failure"
    default_detail = (
        "An unexpected error occurred. Nothing was changed. Report the request_id to the operator "
        "of this service."
    )


STATUS: dict[type[ServiceError], int] = {
    Unauthenticated: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    Invalid: 422,
    TooManyAttempts: 429,
    Unavailable: 503,
}


def status_of(error: type[ServiceError]) -> int:
    """Return the HTTP status of an error class."""
    if issubclass(error, ProtocolError):
        return error.status
    return next((status for kind, status in STATUS.items() if issubclass(error, kind)), 500)
