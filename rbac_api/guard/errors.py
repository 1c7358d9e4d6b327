"""Defines the refusals of the guard."""

from __future__ import annotations

from rbac_api.errors import Conflict, Forbidden, Invalid, NotFound, ServiceError, Unauthenticated, Unavailable


class TokenMissing(Unauthenticated):
    """No credentials: the challenge carries no ``error`` (RFC 6750 section 3.1)."""

    code = "token.missing"


class TokenInvalid(Unauthenticated):
    """The answer is the same for every defect of a token."""

    code = "token.invalid"
    title = "The token is not valid"
    default_detail = "This token is not valid for this operation. Sign in again with POST /v1/auth/login."
    challenge = "invalid_token"


class TokenExpired(Unauthenticated):
    code = "token.expired"
    title = "The token has expired"
    default_detail = (
        "The token has expired. Refresh it with POST /v1/auth/refresh; if that fails, sign in again."
    )
    challenge = "invalid_token"


class TokenRevoked(Unauthenticated):
    code = "token.revoked"
    title = "The session has ended"
    default_detail = "The session of this token has ended. Sign in again with POST /v1/auth/login."
    challenge = "invalid_token"


class SigninTooOld(Unauthenticated):
    """Step-up (RFC 9470): the token is good, but its session began too long ago for a sensitive operation."""

    code = "signin.too_old"
    title = "A more recent sign-in is needed"
    default_detail = (
        "This operation requires a more recent sign-in. Sign in again with POST /v1/auth/login and repeat"
        " the request; refreshing the token does not help."
    )
    challenge = "insufficient_user_authentication"
    example = {"max_age": 3600}  # noqa: RUF012


class CsrfFailed(Forbidden):
    """A cookie alone does not prove which page wrote the request: any page can make a browser send it."""

    code = "csrf.failed"
    title = "The X-CSRF-TOKEN header is missing or wrong"
    default_detail = (
        "A request authenticated by cookie must send the CSRF token of its session in X-CSRF-TOKEN. Signing"
        " in returns it, and so does the X-CSRF-TOKEN header of GET /v1/me."
    )


class AccessDenied(Forbidden):
    code = "access.denied"
    title = "Permission missing"
    default_detail = "You need the permission roles:create: none of your roles grants roles:create."
    example = {"required": "roles:create"}  # noqa: RUF012


class PasswordChangeRequired(Forbidden):
    code = "password.change_required"
    title = "Change your temporary password first"
    default_detail = (
        "You signed in with a temporary password. Change it with POST /v1/me/password; until then other"
        " requests are refused."
    )


class EscalationDenied(Forbidden):
    """No caller can grant what they do not hold; ``missing`` lists the permissions."""

    code = "escalation.denied"
    title = "You cannot grant permissions that you do not hold"
    default_detail = (
        "This change would grant permissions that you do not hold; 'missing' lists them. Ask a user who holds"
        " them."
    )
    example = {"missing": ["payments:release"]}  # noqa: RUF012


class TargetStronger(Forbidden):
    """The user or role to change holds more than the caller does."""

    code = "target.stronger"
    title = "The target holds permissions that you do not hold"
    default_detail = (
        "You may change only users and roles whose permissions you hold yourself; 'missing' lists those you"
        " lack."
    )
    example = {"missing": ["payments:release"]}  # noqa: RUF012


class OwnAccount(Forbidden):
    """An administrator's operation does not apply to one's own account, where the owner has to give the
    current password or a code."""

    code = "target.self"
    title = "Not for your own account"
    default_detail = "This is for the accounts of others. For your own, use POST /v1/me/password."


class LastAdministrator(Conflict):
    """At every moment at least one enabled user who can sign in holds ``admin``."""

    code = "admin.last"
    title = "The last administrator must remain"
    default_detail = (
        "After this change, no user who can sign in would hold the role admin. Assign it to another user"
        " first."
    )
    recorded = True


class IdempotencyMismatch(Invalid):
    code = "idempotency.mismatch"
    title = "The Idempotency-Key was used for another request"
    default_detail = (
        "This Idempotency-Key was already used with a different body. Use a new key for a new request."
    )


class IdempotencyKeyInvalid(Invalid):
    code = "idempotency.invalid"
    title = "The Idempotency-Key is not valid"
    default_detail = "An Idempotency-Key is 1 to 255 visible ASCII characters, without quotes inside."


class IdempotencyRunning(Conflict):
    """Another request with this key is still running."""

    code = "idempotency.running"
    title = "A request with this Idempotency-Key is still running"
    default_detail = "A request with this Idempotency-Key has not finished. Wait a moment and repeat it."


REPEATABLE: tuple[type[ServiceError], ...] = (IdempotencyKeyInvalid, IdempotencyMismatch, IdempotencyRunning)
"""The errors of every POST that honours ``Idempotency-Key``."""


class RoleElsewhere(Conflict):
    code = "role.elsewhere"
    title = "The role is at home elsewhere"
    default_detail = (
        "The role manager@acme is at home at acme: it can be assigned there and below, not at globex."
    )


class RoleNotFound(NotFound):
    code = "role.not_found"
    title = "No such role"
    default_detail = "There is no role with this name. List them with GET /v1/roles."


class DomainNotFound(NotFound):
    code = "domain.not_found"
    title = "No such domain"
    default_detail = "There is no domain with this name. List them with GET /v1/domains."


class HasherBusy(Unavailable):
    """More sign-ins wait than the queue holds."""

    code = "signin.busy"
    title = "Too many sign-ins right now"
    default_detail = (
        "Too many sign-ins are in progress. Try again after the number of seconds in Retry-After."
    )


def listed_names(names: list[str]) -> str:
    """Return the first five names, and the number of the rest."""
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
