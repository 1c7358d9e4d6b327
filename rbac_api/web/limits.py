"""Attempts per address (Flask-Limiter), shared through Redis where it is configured.

The store only counts.  When it is gone, counting goes on in this process's memory, ``/metrics`` and the log say so, and nobody is
answered 500; revocations never depend on it.
"""

from __future__ import annotations

import math
from contextlib import suppress

from flask import Flask, current_app
from flask_limiter import Limiter
from flask_limiter.errors import RateLimitExceeded
from flask_limiter.util import get_remote_address
from redis import RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from rbac_api import clock
from rbac_api.errors import TooManyAttempts
from rbac_api.settings import Settings
from rbac_api.web.logs import log
from rbac_api.web.metrics import LIMITER_DEGRADED

_EXTENSION = "rbac-limits"
TRIES = 3  # of several threads that meet the store's death at once, the library turns to memory in one and lets the others fail
_IMPATIENT = {
    "socket_timeout": 0.2,
    "socket_connect_timeout": 0.2,
    "retry": Retry(NoBackoff(), 0),
}  # the client retries for seconds by default


class AddressLimit:
    """How often one address may try to sign in."""

    def __init__(self, settings: Settings) -> None:
        self._limit = settings.signin_limit
        self._shared = bool(settings.redis_url)
        self._degraded = False
        self._limiter = Limiter(
            get_remote_address,
            app=Flask(
                "limits"
            ),  # its hooks run before and after every request of the application given here; we count two operations
            storage_uri=settings.redis_url or "memory://",
            storage_options=_IMPATIENT if self._shared else {},  # type: ignore[arg-type]
            strategy="sliding-window-counter",
            in_memory_fallback_enabled=self._shared,
            key_prefix="rbac",
        )

    def count(self) -> None:
        """Count one attempt of the request's address; ``TooManyAttempts`` over the limit."""
        try:
            for _ in range(TRIES):
                with suppress(RedisError):
                    return self._count()
        finally:
            self._say_if_degraded()

    def _count(self) -> None:
        self._limiter.context.reset()
        try:
            with self._limiter.limit(self._limit, scope="signin"):
                pass
        except RateLimitExceeded:
            raise TooManyAttempts(retry_after=self._wait()) from None

    def _wait(self) -> int:
        present = self._limiter.current_limit
        return max(1, math.ceil(present.reset_at - clock.epoch_seconds())) if present else 60

    def _say_if_degraded(self) -> None:
        if not self._shared:
            return
        degraded = bool(self._limiter._storage_dead)
        LIMITER_DEGRADED.set(degraded)
        if degraded and not self._degraded:
            log.warning(
                "limits.degraded",
                detail="RBAC_REDIS_URL does not answer: attempts are counted per process until it does",
            )
        self._degraded = degraded


def register_limits(app: Flask, settings: Settings) -> None:
    """Give the application its limit."""
    app.extensions[_EXTENSION] = AddressLimit(settings)


def count_attempt() -> None:
    """Count a sign-in attempt of this request's address."""
    limit: AddressLimit = current_app.extensions[_EXTENSION]
    limit.count()
