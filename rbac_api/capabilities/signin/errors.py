"""Errors of signing in."""

from __future__ import annotations

from rbac_api.errors import Forbidden, Unauthenticated


class MfaRequired(Unauthenticated):
    """The password is right; the account has a second factor and none was sent."""

    code = "mfa.required"
    title = "A second factor is required"
    default_detail = (
        "Send the six-digit code from your authenticator, or a recovery code, as 'otp' together with "
        "username and password."
    )


class RolesNotAuthorized(Forbidden):
    """Returned only after authentication; ``roles`` lists them."""

    code = "roles.not_authorized"
    title = "You do not hold these roles"
    default_detail = (
        "You cannot start a session with roles that you do not currently hold; 'roles' lists them."
    )
    example = {"roles": ["accountant"]}  # noqa: RUF012


class DomainNotAuthorized(Forbidden):
    """Returned only after authentication; one answer for a domain that does not exist and for one where the
    user has no role."""

    code = "domain.not_authorized"
    title = "You cannot sign in at this domain"
    default_detail = (
        "There is no domain of this name, or no role of yours counts there. Check the name, or sign in"
        " without 'domain' to act at root."
    )


class LoginFailed(Unauthenticated):
    """Unknown, wrong, disabled, locked, without a password: one answer for all (OWASP ASVS 5.0, 6.3.8)."""

    code = "login.failed"
    title = "Sign-in failed"
    default_detail = (
        "The username or password is wrong, or the account cannot sign in right now. Check both, or ask "
        "an administrator."
    )
