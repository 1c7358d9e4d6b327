"""How often one address may do what can be guessed at, and one account what it needs no permission for (the ``limits`` library), shared
through Redis where it is configured.

Of an IPv6 address its network counts (``RBAC_IPV6_PREFIX`` bits), because one host has as many addresses there as it likes.

There are three groups: ``signin``, wherever a password or a code can be tried, ``token``, wherever a token or a client's secret can, and
``account``, wherever a caller without any permission writes: counted for each account, from whatever addresses it comes.
Every answer of a limited operation says how much is left, in the fields of draft-ietf-httpapi-ratelimit-headers (structured fields,
RFC 9651):

    RateLimit-Policy: "signin";q=30;w=60        the quota and its window, in seconds
    RateLimit: "signin";r=29;t=60               how much is left, and for how many seconds that has to do

The store only counts.  When it fails, counting goes on in this process's memory, ``/metrics`` and the log say so, and no answer becomes
500; revocations never depend on it.
"""

from __future__ import annotations

import threading
from math import ceil
from typing import Any, Literal, NamedTuple

from flask import Flask, Response, after_this_request, current_app, request
from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from rbac_api import clock
from rbac_api.errors import TooManyAttempts
from rbac_api.formats.client_info import network_of
from rbac_api.observability.logs import log
from rbac_api.observability.metrics import LIMITER_DEGRADED
from rbac_api.settings import Settings
from rbac_api.web.server.shared_store import impatient, store_faults

Group = Literal["signin", "token", "account"]
_EXTENSION = "rbac-limits"
_UNKNOWN = "unknown"  # requests of which the server does not say whence they come are counted together
RETRY_SECONDS = 5.0  # until a store that failed is asked again, by one request


class Counted(NamedTuple):
    """What one limit said of one request: its name, whether it allowed it, how much is left, and for how many seconds."""

    name: str
    allowed: bool
    remaining: int
    seconds: int


class GroupLimit:
    """How often one address, or account, may do what belongs to a group; several limits at once if the notation names several."""

    def __init__(self, group: Group, notation: str) -> None:
        names = _policy_names(group, notation)
        self._group = group
        self._names = {item: names[item] for item in sorted(names)}  # the shortest window first
        self._policy = ", ".join(
            f'"{name}";q={item.amount};w={item.get_expiry()}' for item, name in names.items()
        )

    def count(self, limiter: SlidingWindowCounterRateLimiter, key: str) -> list[Counted]:
        """Count one request, up to the first limit that refuses it."""
        found: list[Counted] = []
        for item, name in self._names.items():
            allowed = limiter.hit(item, "rbac", key, self._group)
            reset, remaining = limiter.get_window_stats(item, "rbac", key, self._group)
            seconds = max(1, ceil(int(reset + 1) - clock.epoch_seconds()))
            found.append(Counted(name, allowed, remaining, seconds))
            if not allowed:
                break
        return found

    def answer(self, found: list[Counted]) -> None:
        """Say what was found in this request's answer; ``TooManyAttempts`` over a limit."""
        violated = [each.name for each in found if not each.allowed]
        present = ", ".join(f'"{each.name}";r={each.remaining};t={each.seconds}' for each in found)
        _announce(self._policy, present, also=bool(violated))
        if violated:
            members: dict[str, Any] = {"violated-policies": violated}
            raise TooManyAttempts(retry_after=max(each.seconds for each in found), **members)


class Limits:
    """All groups, and where they are counted: in the shared store, or in memory where there is none, and while it fails."""

    def __init__(self, settings: Settings) -> None:
        url, self._ipv6_prefix = settings.redis_url, settings.ipv6_prefix
        self._groups: dict[Group, GroupLimit] = {
            "signin": GroupLimit("signin", settings.signin_limit),
            "token": GroupLimit("token", settings.token_limit),
            "account": GroupLimit("account", settings.account_limit),
        }
        self._memory = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._shared = (
            SlidingWindowCounterRateLimiter(storage_from_string(url, **impatient())) if url else None
        )
        self._faults = store_faults() if url else ()
        self._degraded, self._retry_at, self._lock = False, 0.0, threading.Lock()

    def count(self, group: Group, account_id: str | None = None) -> None:
        """Count one request in a group; ``TooManyAttempts`` over its limit."""
        key = account_id if group == "account" else network_of(request.remote_addr, self._ipv6_prefix)
        limit = self._groups[group]
        limit.answer(self._counted(limit, key or _UNKNOWN))

    def _counted(self, limit: GroupLimit, key: str) -> list[Counted]:
        if self._shared and self._may_ask():
            try:
                found = limit.count(self._shared, key)
            except self._faults:
                self._note(degraded=True)
            else:
                self._note(degraded=False)
                return found
        return limit.count(self._memory, key)

    def _may_ask(self) -> bool:
        """Whether the store works as far as is known, or it is this request's turn to find out."""
        with self._lock:
            if self._degraded and clock.monotonic() < self._retry_at:
                return False
            self._retry_at = clock.monotonic() + RETRY_SECONDS
            return True

    def _note(self, *, degraded: bool) -> None:
        with self._lock:
            changed, self._degraded = degraded is not self._degraded, degraded
        LIMITER_DEGRADED.set(degraded)
        if changed and degraded:
            log.warning(
                "limits.degraded",
                detail="RBAC_REDIS_URL does not answer: attempts are counted per process until it does",
            )


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
    limits: Limits = current_app.extensions[_EXTENSION]
    limits.count("account", account_id)


def _policy_names(group: Group, notation: str) -> dict[RateLimitItem, str]:
    """A name for each limit: the group's, and with a number from the second on."""
    items = dict.fromkeys(parse_many(notation))
    return {item: group if number == 1 else f"{group}-{number}" for number, item in enumerate(items, start=1)}


def _announce(policy: str, present: str, *, also: bool) -> None:
    """Where an operation counts in two groups, the first speaks; of the second (``also``) only what was exceeded is told besides."""

    @after_this_request
    def _(answer: Response) -> Any:
        for name, value in (("RateLimit-Policy", policy), ("RateLimit", present)):
            before = answer.headers.get(name)
            if also or not before:
                answer.headers[name] = f"{before}, {value}" if before else value
        return answer
