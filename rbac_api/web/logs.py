"""One JSON object per line on standard error (structlog): request id in each, and no way for input to begin a line of its own."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog
from flask import g, has_app_context

log: structlog.typing.FilteringBoundLogger = structlog.get_logger("rbac_api")


def configure_logs(level: str) -> None:
    """Send our own lines, and those of every library, through one renderer."""
    structlog.configure(
        processors=[
            _with_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.BytesLoggerFactory(file=sys.stderr.buffer),
        cache_logger_on_first_use=False,
    )


def _with_request_id(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if has_app_context() and "request_id" in g:
        event["request_id"] = g.request_id
    return event


def _dumps(event: Any, **_options: Any) -> bytes:
    return orjson.dumps(event, default=str)
