"""How signing in fails."""

from __future__ import annotations

from rbac_api.errors import Unauthenticated


class MfaRequired(Unauthenticated):
    """The password is right; the account has a second factor and none was sent."""

    code = "mfa.required"
    title = "A second factor is needed"
    default_detail = "Send the six digits that your device shows, or a recovery code, as 'otp' together with username and password."


class LoginFailed(Unauthenticated):
    """Unknown, wrong, disabled, locked, without a password: one answer for all (OWASP ASVS 5.0, 6.3.8)."""

    code = "login.failed"
    title = "Sign-in failed"
    default_detail = "Username and password do not fit, or the account cannot sign in at this moment. Check both, or ask an administrator."
