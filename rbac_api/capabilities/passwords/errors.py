"""What is wrong with a password."""

from __future__ import annotations

from rbac_api.errors import Invalid, Unavailable


class PasswordRefused(Invalid):
    code = "password.refused"
    title = "This password cannot be used"
    default_detail = (
        "Choose another password: 15 to 256 characters, not a common one and not made of the user's name."
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


class HasherBusy(Unavailable):
    """More sign-ins wait than the queue holds."""

    code = "signin.busy"
    title = "Too many sign-ins at this moment"
    default_detail = "Too many people are signing in at this moment. Try again after the time in Retry-After."
