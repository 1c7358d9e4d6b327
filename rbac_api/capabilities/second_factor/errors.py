"""What can go wrong with a second factor."""

from __future__ import annotations

from rbac_api.errors import Conflict, Forbidden, NotFound


class TotpActive(Conflict):
    code = "totp.active"
    title = "A second factor is set up already"
    default_detail = "You have a second factor. Remove it with DELETE /v1/me/totp before you set up another."


class TotpNotBegun(Conflict):
    """Never begun, or too long ago."""

    code = "totp.not_begun"
    title = "No second factor waits to be confirmed"
    default_detail = "Begin with POST /v1/me/totp and confirm within ten minutes."


class TotpNotFound(NotFound):
    code = "totp.not_found"
    title = "No second factor"
    default_detail = "There is no second factor on this account."


class TotpCodeWrong(Forbidden):
    """Known by her token, but the proof asked for in addition does not fit."""

    code = "totp.wrong"
    title = "The code does not fit"
    default_detail = "This is not a present code of the secret that POST /v1/me/totp gave. Check the device's clock and try the next."


class SecondFactorNeeded(Forbidden):
    """The session was begun without the factor that it wants to remove."""

    code = "mfa.needed"
    title = "A session with the second factor is needed"
    default_detail = "Sign in with the second factor (or a recovery code), and remove it in that session."
