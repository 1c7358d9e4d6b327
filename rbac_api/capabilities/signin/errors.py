"""How signing in fails."""

from __future__ import annotations

from rbac_api.errors import Forbidden, Unauthenticated


class MfaRequired(Unauthenticated):
    """The password is right; the account has a second factor and none was sent."""

    code = "mfa.required"
    title = "A second factor is needed"
    default_detail = "Send the six digits that your device shows, or a recovery code, as 'otp' together with username and password."


class RolesNotAuthorized(Forbidden):
    """Said only to somebody who has proved who she is; ``roles`` lists them."""

    code = "roles.not_authorized"
    title = "You do not have these roles"
    default_detail = (
        "You cannot begin a session with roles that you do not have at this moment; 'roles' lists them."
    )
    example = {"roles": ["accountant"]}  # noqa: RUF012


class LoginFailed(Unauthenticated):
    """Unknown, wrong, disabled, locked, without a password: one answer for all (OWASP ASVS 5.0, 6.3.8)."""

    code = "login.failed"
    title = "Sign-in failed"
    default_detail = "Username and password do not fit, or the account cannot sign in at this moment. Check both, or ask an administrator."
