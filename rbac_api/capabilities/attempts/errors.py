"""The error for an account with too many wrong guesses."""

from __future__ import annotations

from rbac_api.errors import TooManyAttempts


class AccountLocked(TooManyAttempts):
    """Returned only to signed-in users about their own accounts; signing in answers ``login.failed``
    instead."""

    code = "account.locked"
    title = "Too many wrong passwords or codes for this account"
    default_detail = (
        "Too many wrong passwords or codes were given for this account. Try again after the number of seconds"
        " in Retry-After, or ask an administrator to unlock it with POST /v1/users/{id}/unlock."
    )
    example = {}  # noqa: RUF012
