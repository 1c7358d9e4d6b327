"""How often one address may do what can be guessed at, and one account what it needs no permission for (Flask-Limiter), shared through
Redis where it is configured.

Of an IPv6 address its network counts (``RBAC_IPV6_PREFIX`` bits), because one host has as many addresses there as it likes.

There are three groups: ``signin``, wherever a password or a code can be tried, ``token``, wherever a token or a client's secret can, and
``account``, wherever a caller without any permission writes: counted for each account, from whatever addresses it comes.
Every answer of a limited operation says how much is left, in the fields of draft-ietf-httpapi-ratelimit-headers (structured fields,
RFC 9651):

    RateLimit-Policy: "signin";q=30;w=60        the quota and its window, in seconds
    RateLimit: "signin";r=29;t=60               how much is left, and for how many seconds that has to do

The store only counts.  When it is gone, counting goes on in this process's memory, ``/metrics`` and the log say so, and nobody is
answered 500; revocations never depend on it.
"""

from __future__ import annotations

import math
from contextlib import suppress
from typing import Any, Literal

from flask import Flask, Response, after_this_request, current_app, request
from flask_limiter import Limiter
from flask_limiter.errors import RateLimitExceeded
from limits import RateLimitItem, parse_many

from rbac_api import clock
from rbac_api.errors import TooManyAttempts
from rbac_api.settings import Settings
from rbac_api.web.logs import log
from rbac_api.web.metrics import LIMITER_DEGRADED
from rbac_api.web.shared_store import impatient, store_faults
from rbac_api.web.visitor import network_of

Group = Literal["signin", "token", "account"]
ACCOUNT = "rbac.account"  # in the environment of a request: whose it is
_EXTENSION = "rbac-limits"
TRIES = 3  # of several threads that meet the store's death at once, the library turns to memory in one and lets the others fail


class GroupLimit:
    """How often one address, or account, may do what belongs to a group; several limits at once if the notation names several."""

    def __init__(self, group: Group, notation: str, settings: Settings) -> None:
        redis_url, prefix = settings.redis_url, settings.ipv6_prefix
        self._group = group
        self._faults = store_faults() if redis_url else ()
        self._notation = notation
        self._names = _policy_names(group, notation)
        self._policy = ", ".join(
            f'"{name}";q={item.amount};w={item.get_expiry()}' for item, name in self._names.items()
        )
        # One for each group: its ``with`` remembers limits by the line it stands on, and two threads would swap theirs.
        self._limiter = Limiter(
            lambda: (
                request.environ[ACCOUNT]
                if group == "account"
                else network_of(request.remote_addr, prefix) or ""
            ),
            app=Flask(
                "limits"
            ),  # its hooks run before and after every request of the application given here; we count few operations
            storage_uri=redis_url or "memory://",
            storage_options=impatient() if redis_url else {},
            strategy="sliding-window-counter",
            in_memory_fallback_enabled=bool(redis_url),
            key_prefix="rbac",
        )

    @property
    def degraded(self) -> bool:
        """Whether it counts in this process alone, the shared store being gone."""
        return bool(self._limiter._storage_dead)

    def count(self) -> None:
        """Count one request and say so in its answer; ``TooManyAttempts`` over the limit."""
        for _ in range(TRIES):
            with suppress(*self._faults):
                exceeded = self._exceeded()
                break
        else:
            return  # a store that fails whenever it is asked keeps nobody out
        with suppress(*self._faults):
            _announce(self._policy, self._present(), also=exceeded)
        if exceeded:
            raise self._refusal()

    def _exceeded(self) -> bool:
        self._limiter.context.reset()
        try:
            with self._limiter.shared_limit(self._notation, scope=self._group):
                return False
        except RateLimitExceeded:
            return True

    def _present(self) -> str:
        """What is left of each limit that was looked at."""
        return ", ".join(
            f'"{self._names[limit.limit]}";r={limit.remaining};t={_seconds_until(limit.reset_at)}'
            for limit in self._limiter.current_limits
        )

    def _refusal(self) -> TooManyAttempts:
        present, wait = self._limiter.current_limits, 1
        with suppress(*self._faults):
            wait = max(_seconds_until(limit.reset_at) for limit in present)  # never before any ``t``
        violated = [self._names[limit.limit] for limit in present if limit.breached]
        members: dict[str, Any] = {"violated-policies": violated}
        return TooManyAttempts(retry_after=wait, **members)


class Limits:
    """All groups."""

    def __init__(self, settings: Settings) -> None:
        notations: dict[Group, str] = {
            "signin": settings.signin_limit,
            "token": settings.token_limit,
            "account": settings.account_limit,
        }
        self._limits = {group: GroupLimit(group, notation, settings) for group, notation in notations.items()}
        self._shared = bool(settings.redis_url)
        self._degraded = False

    def count(self, group: Group) -> None:
        """Count one request in a group; ``TooManyAttempts`` over its limit."""
        try:
            self._limits[group].count()
        finally:
            if self._shared:
                self._say_if_degraded()

    def _say_if_degraded(self) -> None:
        degraded = any(limit.degraded for limit in self._limits.values())
        LIMITER_DEGRADED.set(degraded)
        if degraded and not self._degraded:
            log.warning(
                "limits.degraded",
                detail="RBAC_REDIS_URL does not answer: attempts are counted per process until it does",
            )
        self._degraded = degraded


def register_limits(app: Flask, settings: Settings) -> None:
    """Give the application its limits."""
    app.extensions[_EXTENSION] = Limits(settings)


def count_attempt(group: Group = "signin") -> None:
    """Count an attempt of this request's address; 429 over the limit, and the answer says what is left in any case.

    The operation names ``TooManyAttempts`` among its problems, which documents the headers too.
    """
    limits: Limits = current_app.extensions[_EXTENSION]
    limits.count(group)


def count_account(account_id: str | None) -> None:
    """The same for something that this account did."""
    request.environ[ACCOUNT] = account_id or ""
    count_attempt("account")


def _policy_names(group: Group, notation: str) -> dict[RateLimitItem, str]:
    """A name for each limit: the group's, and with a number from the second on."""
    items = dict.fromkeys(parse_many(notation))
    return {item: group if number == 1 else f"{group}-{number}" for number, item in enumerate(items, start=1)}


def _seconds_until(moment: float) -> int:
    return max(1, math.ceil(moment - clock.epoch_seconds()))


def _announce(policy: str, present: str, *, also: bool) -> None:
    """Where an operation counts in two groups, the first speaks; of the second (``also``) only what was exceeded is told besides."""

    @after_this_request
    def _(answer: Response) -> Any:
        for name, value in (("RateLimit-Policy", policy), ("RateLimit", present)):
            before = answer.headers.get(name)
            if also or not before:
                answer.headers[name] = f"{before}, {value}" if before else value
        return answer
