"""How the guard refuses."""

from __future__ import annotations

from rbac_api.errors import Conflict, Forbidden, Invalid, NotFound, ServiceError, Unauthenticated


class TokenMissing(Unauthenticated):
    """No credentials: the challenge carries no ``error`` (RFC 6750 section 3.1)."""

    code = "token.missing"


class TokenInvalid(Unauthenticated):
    """Whatever is wrong with it, the answer is the same."""

    code = "token.invalid"
    title = "The token is not valid"
    default_detail = "This token is not valid here. Sign in again with POST /v1/auth/login."
    challenge = "invalid_token"


class TokenExpired(Unauthenticated):
    code = "token.expired"
    title = "The token has expired"
    default_detail = (
        "This token has expired. Refresh it with POST /v1/auth/refresh, or sign in again if that is refused."
    )
    challenge = "invalid_token"


class TokenRevoked(Unauthenticated):
    code = "token.revoked"
    title = "The session has ended"
    default_detail = "The session of this token has ended. Sign in again with POST /v1/auth/login."
    challenge = "invalid_token"


class SigninTooOld(Unauthenticated):
    """Step-up (RFC 9470): the token is good, but its session began too long ago for something sensitive."""

    code = "signin.too_old"
    title = "A more recent sign-in is needed"
    default_detail = "Your sign-in is too long ago for this. Sign in again with POST /v1/auth/login and repeat; refreshing does not help."
    challenge = "insufficient_user_authentication"
    example = {"max_age": 3600}  # noqa: RUF012


class CsrfFailed(Forbidden):
    """A cookie alone proves nothing about who wrote the request: any page can make a browser send it."""

    code = "csrf.failed"
    title = "The X-CSRF-TOKEN header is missing or wrong"
    default_detail = "This request was signed in by a cookie, so it needs the X-CSRF-TOKEN that signing in gave; GET /v1/me gives it again."


class AccessDenied(Forbidden):
    code = "access.denied"
    title = "Permission missing"
    default_detail = "You need the permission roles:create: no role that you hold grants roles:create."
    example = {"required": "roles:create"}  # noqa: RUF012


class PasswordChangeRequired(Forbidden):
    code = "password.change_required"
    title = "Choose a password of your own first"
    default_detail = "Your password was chosen by somebody else. Change it with POST /v1/me/password; until then nothing else answers."


class EscalationDenied(Forbidden):
    """Nobody can grant what they do not hold; ``missing`` lists the permissions."""

    code = "escalation.denied"
    title = "You cannot hand out what you do not hold"
    default_detail = "This change hands out permissions that you do not hold; 'missing' lists them. Ask somebody who holds them."
    example = {"missing": ["payments:release"]}  # noqa: RUF012


class TargetStronger(Forbidden):
    """Acting upon somebody, or a role, that holds more than the caller does."""

    code = "target.stronger"
    title = "The target holds permissions that you do not"
    default_detail = "You may act only on users and roles whose permissions you hold yourself; 'missing' lists those you lack."
    example = {"missing": ["payments:release"]}  # noqa: RUF012


class LastAdministrator(Conflict):
    """At every moment at least one enabled user who can sign in holds ``admin``."""

    code = "admin.last"
    title = "Somebody must remain an administrator"
    default_detail = (
        "After this change nobody who can sign in would hold the role admin. Give it to somebody else first."
    )
    recorded = True


class IdempotencyMismatch(Invalid):
    code = "idempotency.mismatch"
    title = "The Idempotency-Key was used for another request"
    default_detail = (
        "This Idempotency-Key belongs to a request with another body. Use a new key for a new request."
    )


class IdempotencyKeyInvalid(Invalid):
    code = "idempotency.invalid"
    title = "The Idempotency-Key is not usable"
    default_detail = "An Idempotency-Key is 1 to 255 visible ASCII characters, without quotes inside."


class IdempotencyRunning(Conflict):
    """Another request with this key is still running."""

    code = "idempotency.running"
    title = "A request with this Idempotency-Key is still running"
    default_detail = "A request with this Idempotency-Key has not finished. Wait a moment and repeat it."


REPEATABLE: tuple[type[ServiceError], ...] = (IdempotencyKeyInvalid, IdempotencyMismatch, IdempotencyRunning)
"""What may go wrong with any POST that honours ``Idempotency-Key``."""


class RoleNotFound(NotFound):
    code = "role.not_found"
    title = "No such role"
    default_detail = "There is no role of this name. List them with GET /v1/roles."
