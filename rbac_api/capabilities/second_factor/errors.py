"""Errors of second factors."""

from __future__ import annotations

from rbac_api.errors import Conflict, Forbidden, NotFound


class TotpActive(Conflict):
    code = "totp.active"
    title = "A second factor is already set up"
    default_detail = (
        "You already have a second factor. Remove it with DELETE /v1/me/totp before setting up another."
    )


class TotpNotBegun(Conflict):
    """Not started, or too long ago."""

    code = "totp.not_begun"
    title = "No second factor is waiting for confirmation"
    default_detail = "Start with POST /v1/me/totp and confirm within ten minutes."


class TotpNotFound(NotFound):
    code = "totp.not_found"
    title = "No second factor"
    default_detail = "There is no second factor on this account."


class TotpCodeWrong(Forbidden):
    """The caller is authenticated, but the additional code is wrong."""

    keeps_work = True  # the failure that was counted
    code = "totp.wrong"
    title = "The code is wrong"
    default_detail = (
        "This is not the current code for the secret from POST /v1/me/totp. Check the device's clock and "
        "try the next code."
    )


class SecondFactorNeeded(Forbidden):
    """The session began without the factor that it wants to remove."""

    code = "mfa.needed"
    title = "A session with a second factor is required"
    default_detail = "Sign in with the second factor or a recovery code, then remove it in that session."
