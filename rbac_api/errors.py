"""Defines what can go wrong, in seven kinds, without a word of HTTP.

A capability names its own problems by subclassing a kind. It gives a stable ``code`` (``thing.problem``), a
``title`` that never varies, and a ``detail`` that is public: it says what was wrong and what to do.
``internal`` goes to the log alone.  ``formats/http_errors.py`` holds the one table that turns a kind into
an HTTP status.

    ServiceError
    ├── Unauthenticated    no valid credentials, or they are valid no longer
    ├── Forbidden          known, but not allowed
    ├── NotFound           does not exist, or the caller may not know that it exists
    ├── Conflict           the current state does not allow it
    ├── Invalid            readable, but wrong; carries ``faults``, one per field
    ├── TooManyAttempts    later; carries ``retry_after`` in seconds
    └── Unavailable        something this service needs does not answer; carries ``retry_after``
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong field: where (RFC 6901 JSON Pointer), a stable code, and a sentence."""

    pointer: str
    code: str
    detail: str


class ServiceError(Exception):
    """The root of every error that this service raises on purpose.

    ``example`` shows the additional members of the answer.  ``recorded``: the trail records who tried.
    ``challenge`` is the ``error`` of a Bearer challenge (RFC 6750 section 3.1).  ``keeps_work``: what was
    written before the error was raised is committed (a failure that was counted, and nothing else).
    """

    code: ClassVar[str] = "service.error"
    title: ClassVar[str] = "The request could not be served"
    default_detail: ClassVar[str] = "The request could not be served."
    example: ClassVar[dict[str, Any]] = {}
    recorded: ClassVar[bool] = False
    keeps_work: ClassVar[bool] = False
    challenge: ClassVar[str | None] = None

    def __init__(self, detail: str | None = None, *, internal: str | None = None, **members: object) -> None:
        self.detail = detail or self.default_detail
        self.internal = internal
        self.recorded_detail = self.detail
        self.members: dict[str, Any] = members
        self.refused_to: Any = None  # the actor, where a public operation found out who it is
        super().__init__(self.detail)

    def recorded_as(self, detail: str) -> Self:
        """Set the detail for the trail, which cannot erase a user's name from a sentence; return this
        error."""
        self.recorded_detail = detail
        return self


class Unauthenticated(ServiceError):
    """No credentials, or bad ones; without a ``challenge`` when the request has none."""

    code = "token.missing"
    title = "Sign-in required"
    default_detail = "Sign in first: send an access token as 'Authorization: Bearer <token>'."


class Forbidden(ServiceError):
    """The caller is known and is not allowed to do this."""

    code = "access.denied"
    title = "Not allowed"
    default_detail = "You are not allowed to do this."
    recorded = True
    challenge = "insufficient_scope"


class NotFound(ServiceError):
    """There is no such thing, or the caller may not know that there is."""

    code = "resource.not_found"
    title = "Not found"
    default_detail = "Nothing was found at this address. Check the path and the id."

    @classmethod
    def require(cls, found: T | None) -> T:
        """Return what was found; raise this error for None."""
        if found is None:
            raise cls()
        return found


class Conflict(ServiceError):
    """The request is valid, but the current state does not allow it."""

    code = "state.conflict"
    title = "Conflict with the current state"
    default_detail = "The current state does not allow this change."


MAX_FAULTS = 100  # named in one answer


def listed(faults: Sequence[str], total: int | None = None) -> list[str]:
    """Return the first faults, a line each, and how many more there are."""
    lines, total = list(faults[:MAX_FAULTS]), len(faults) if total is None else total
    return [*lines, f"and {total - len(lines)} more"] if total > len(lines) else lines


class Invalid(ServiceError):
    """Readable but wrong; ``faults`` names the first ``MAX_FAULTS`` wrong fields, and ``total`` counts all of
    them."""

    code = "request.invalid"
    title = "The request has invalid fields"
    default_detail = "One or more fields are not valid; 'errors' lists each one."
    example = {"errors": [{"pointer": "/limit", "code": "field.invalid", "detail": "Not a valid integer."}]}  # noqa: RUF012

    def __init__(
        self, detail: str | None = None, *, faults: tuple[Fault, ...] = (), internal: str | None = None
    ) -> None:
        self.faults, self.total = faults[:MAX_FAULTS], len(faults)
        if detail is None and self.more:
            detail = (
                f"{self.total} fields are not valid; 'errors' lists the first {MAX_FAULTS},"
                f" and {self.more} more are not listed."
            )
        super().__init__(detail, internal=internal)

    @property
    def more(self) -> int:
        """How many faults ``faults`` leaves out."""
        return self.total - len(self.faults)


class TooManyAttempts(ServiceError):
    """The caller has to wait; ``retry_after`` is in whole seconds."""

    code = "rate.exceeded"
    title = "Too many attempts"
    default_detail = "Too many attempts. Try again after the number of seconds in Retry-After."
    example = {"violated-policies": ["signin"]}  # noqa: RUF012

    def __init__(
        self,
        detail: str | None = None,
        *,
        retry_after: int = 1,
        internal: str | None = None,
        **members: object,
    ) -> None:
        super().__init__(detail, internal=internal, **members)
        self.retry_after = retry_after


class Unavailable(ServiceError):
    """Something that this service needs does not answer; nothing was changed."""

    code = "service.unavailable"
    title = "Temporarily unavailable"
    default_detail = (
        "The service cannot answer right now; nothing was changed. Try again after the number of seconds in"
        " Retry-After."
    )

    def __init__(
        self, detail: str | None = None, *, retry_after: int = 1, internal: str | None = None
    ) -> None:
        super().__init__(detail, internal=internal)
        self.retry_after = retry_after
