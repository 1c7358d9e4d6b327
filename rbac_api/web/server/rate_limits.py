"""Rate limits per address and per account (the ``limits`` library), shared through Redis if it is configured.

Of an IPv6 address, its network counts (``RBAC_IPV6_PREFIX`` bits), because one host can use any address in
it.

There are three groups: ``signin`` wherever a password or a code can be guessed, ``token`` wherever a token or
a client's secret can be guessed, and ``account`` wherever a caller without any permission writes. The last is
counted per account, from all addresses together. Every answer of a limited operation says how much is left,
in the headers of draft-ietf-httpapi-ratelimit-headers (structured fields, RFC 9651):

    RateLimit-Policy: "signin";q=30;w=60        the quota and its window, in seconds
    RateLimit: "signin";r=29;t=60               how much is left, and for how many seconds

The store only counts. When it fails, this process counts in its own memory, ``/metrics`` and the log report
it, and no answer becomes 500. Revocations never depend on it.
"""

from __future__ import annotations

import threading
from functools import cached_property
from ipaddress import IPv6Address, IPv6Network, ip_address
from math import ceil
from typing import Literal, NamedTuple

from flask import Flask, Response, after_this_request, current_app, has_request_context, request
from limits import RateLimitItem, parse_many
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from rbac_api import clock
from rbac_api.errors import TooManyAttempts
from rbac_api.observability.logs import log
from rbac_api.observability.metrics import LIMITER_DEGRADED
from rbac_api.settings import Settings
from rbac_api.web.server.shared_store import client_options, store_faults

Group = Literal["signin", "token", "account"]
_EXTENSION = "rbac-limits"
_UNKNOWN = "unknown"  # requests whose address the server does not give are counted together
RETRY_SECONDS = 5.0  # after so long, one request tries a failed store again


class Counted(NamedTuple):
    """The result of one limit for one request; ``remaining`` requests are left for ``seconds``."""

    name: str
    allowed: bool
    remaining: int
    seconds: int


class Stores(NamedTuple):
    """The limiters in memory and in the shared store, if there is one, and the store's exceptions."""

    memory: SlidingWindowCounterRateLimiter
    shared: SlidingWindowCounterRateLimiter | None
    faults: tuple[type[Exception], ...]


class GroupLimit:
    """The limits of one group, for each address or account; the notation may name several."""

    def __init__(self, group: Group, notation: str) -> None:
        names = _policy_names(group, notation)
        self._group = group
        self._names = {item: names[item] for item in sorted(names)}  # the shortest window first
        self._policy = ", ".join(
            f'"{name}";q={item.amount};w={item.get_expiry()}' for item, name in names.items()
        )

    def count(self, limiter: SlidingWindowCounterRateLimiter, key: str) -> list[Counted]:
        """Count one request in each limit, up to the first that refuses it."""
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
        """Add the headers to the answer of this request; ``TooManyAttempts`` over a limit."""
        violated = [each.name for each in found if not each.allowed]
        present = ", ".join(f'"{each.name}";r={each.remaining};t={each.seconds}' for each in found)
        if has_request_context():
            _announce(self._policy, present, also=bool(violated))
        if violated:
            refusal = TooManyAttempts(retry_after=max(each.seconds for each in found))
            refusal.members["violated-policies"] = violated
            raise refusal


class Limits:
    """All groups. They are counted in the shared store, or in memory if there is none or while it fails."""

    def __init__(self, settings: Settings) -> None:
        self._url, self._ipv6_prefix = settings.redis_url, settings.ipv6_prefix
        self._groups: dict[Group, GroupLimit] = {
            "signin": GroupLimit("signin", settings.signin_limit),
            "token": GroupLimit("token", settings.token_limit),
            "account": GroupLimit("account", settings.account_limit),
        }
        self._degraded, self._retry_at, self._lock = False, 0.0, threading.Lock()
        self._counting = threading.Lock()  # two threads at once would start the same timer of MemoryStorage

    def count_account(self, account_id: str | None) -> None:
        """Count an action of this account; ``TooManyAttempts`` over its limit."""
        self.count("account", account_id)

    def count(self, group: Group, account_id: str | None = None) -> None:
        """Count one request in a group; ``TooManyAttempts`` over its limit."""
        key = account_id if group == "account" else self.client_of(request.remote_addr)
        limit = self._groups[group]
        limit.answer(self._counted(limit, key or _UNKNOWN))

    def client_of(self, address: str | None) -> str | None:
        """Return the client that this address counts as."""
        return network_of(address, self._ipv6_prefix)

    def _counted(self, limit: GroupLimit, key: str) -> list[Counted]:
        with self._lock:
            memory, shared, faults = self._stores
        if shared and self._may_ask():
            try:
                found = limit.count(shared, key)
            except faults:
                self._note(degraded=True)
            else:
                self._note(degraded=False)
                return found
        with self._counting:
            return limit.count(memory, key)

    @cached_property
    def _stores(self) -> Stores:
        """Make the stores at the first request, under the lock: one starts a thread, one loads a client."""
        memory = SlidingWindowCounterRateLimiter(MemoryStorage())
        if not self._url:
            return Stores(memory, None, ())
        shared = storage_from_string(self._url, **client_options())
        return Stores(memory, SlidingWindowCounterRateLimiter(shared), store_faults())

    def _may_ask(self) -> bool:
        """Return True if the store worked last time, or if this request has to try it again."""
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


def register_limits(app: Flask, limits: Limits) -> None:
    """Set up the application's limits."""
    app.extensions[_EXTENSION] = limits


def count_attempt(group: Group = "signin") -> None:
    """Count an attempt of this request's address; 429 over the limit. Every answer says how much is left.

    The operation lists ``TooManyAttempts`` among its problems, which also documents the headers.
    """
    limits: Limits = current_app.extensions[_EXTENSION]
    limits.count(group)


def count_account(account_id: str | None) -> None:
    """Count an action of this account; 429 over the limit."""
    limits: Limits = current_app.extensions[_EXTENSION]
    limits.count_account(account_id)


def network_of(address: str | None, prefix: int) -> str | None:
    """Return what counts as one client: an IPv4 address, or an IPv6 network.

    A subscriber has at least a /64 (RFC 6177), and one host may use a new address for each connection (RFC
    8981). An IPv4 address inside IPv6 counts as that IPv4 address.
    """
    try:
        found = ip_address(address or "")
    except ValueError:  # a socket's path, or nothing
        return address
    if not isinstance(found, IPv6Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found), prefix), strict=False))


def _policy_names(group: Group, notation: str) -> dict[RateLimitItem, str]:
    """Name each limit after the group, with a number from the second on."""
    items = dict.fromkeys(parse_many(notation))
    return {item: group if number == 1 else f"{group}-{number}" for number, item in enumerate(items, start=1)}


def _announce(policy: str, present: str, *, also: bool) -> None:
    """Add the headers.

    Where an operation counts in two groups, the first one's headers stay; the second (``also``) adds to them
    only if it was exceeded.
    """

    @after_this_request
    def _(answer: Response) -> Response:
        for name, value in (("RateLimit-Policy", policy), ("RateLimit", present)):
            before = answer.headers.get(name)
            if also or not before:
                answer.headers[name] = f"{before}, {value}" if before else value
        return answer
