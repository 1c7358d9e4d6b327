"""Errors of AuthZEN requests."""

from __future__ import annotations

from rbac_api.formats.http_errors import ProtocolError


class AuthzenError(ProtocolError):
    """A bad request in the words of the specification (section 10.1.3)."""


class InvalidQuestion(AuthzenError):
    code = "authzen.invalid_request"
    title = "The evaluation request is malformed"
    default_detail = (
        "Send a subject (type, id), an action (name) and a resource (type, id), each an object with "
        "string members."
    )


class NotDeclaredJson(AuthzenError):
    code = "authzen.not_json"
    title = "Not declared as JSON"
    default_detail = "Send the request as JSON, with Content-Type: application/json."
