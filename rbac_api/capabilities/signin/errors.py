"""How signing in fails."""

from __future__ import annotations

from rbac_api.errors import Unauthenticated


class LoginFailed(Unauthenticated):
    """Unknown, wrong, disabled, locked, without a password: one answer for all (OWASP ASVS 5.0, 6.3.8)."""

    code = "login.failed"
    title = "Sign-in failed"
    default_detail = "Username and password do not fit, or the account cannot sign in at this moment. Check both, or ask an administrator."
