"""Connection options and errors of the store that all nodes share (``RBAC_REDIS_URL``).

The client library is loaded when it is first needed: loading takes a tenth of a second at every start.
"""

from __future__ import annotations

from typing import Any

TIMEOUTS: dict[str, float] = {"socket_timeout": 0.2, "socket_connect_timeout": 0.2}  # seconds


def client_options() -> dict[str, Any]:
    """Return options for the client: short timeouts and no retries, which by default last for seconds."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return {**TIMEOUTS, "retry": Retry(NoBackoff(), 0)}


def store_faults() -> tuple[type[Exception], ...]:
    """Return the exceptions that the client raises."""
    from redis import RedisError

    return RedisError, OSError
