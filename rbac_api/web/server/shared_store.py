"""The store that all nodes share, where one is configured (``RBAC_REDIS_URL``): how to speak to it, and how it fails.

Its client is loaded when it is first needed, not with this module: loading takes a tenth of a second, which every start would pay for.
"""

from __future__ import annotations

from typing import Any

IMPATIENCE: dict[str, float] = {"socket_timeout": 0.2, "socket_connect_timeout": 0.2}  # seconds


def impatient() -> dict[str, Any]:
    """Options for the client: it does not wait, and it does not try again, which by default it does for seconds."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return {**IMPATIENCE, "retry": Retry(NoBackoff(), 0)}


def store_faults() -> tuple[type[Exception], ...]:
    """What the client raises."""
    from redis import RedisError

    return RedisError, OSError
