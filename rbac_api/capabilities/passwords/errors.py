"""Errors of passwords."""

from __future__ import annotations

from rbac_api.errors import Invalid


class PasswordRefused(Invalid):
    code = "password.refused"
    title = "This password cannot be used"
    default_detail = (
        "Choose another password: 15 to 256 characters, not a commonly used one, and not derived from the "
        "username."
    )
    example = {  # noqa: RUF012
        "errors": [
            {
                "pointer": "/new_password",
                "code": "password.too_short",
                "detail": "Use at least 15 characters; 8 were given.",
            }
        ]
    }
