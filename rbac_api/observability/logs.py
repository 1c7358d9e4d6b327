"""Writes one JSON object per line to standard error (structlog).

Each line has the request id. No input can begin a line of its own.
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import BinaryIO, cast

import orjson
import structlog
from flask import Request, has_request_context, request

from rbac_api import clock
from rbac_api.observability.buffered_stderr import BufferedLines

REQUEST_ID = "rbac.request_id"  # in the WSGI environment
# keeps a line below 4096 bytes, so that its write to a pipe shared by workers is atomic (POSIX)
MAX_PATH_LENGTH = 512
_LINE = orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
Answered = tuple[str, str, int, float, str | None, str, float]
"""Method, path, status, seconds taken, address, request id, seconds since 1970."""
log: structlog.typing.FilteringBoundLogger = structlog.get_logger("rbac_api")


def configure_logs(level: str) -> None:
    """Send the service's lines, and those of every library, through one renderer."""
    structlog.configure(
        processors=[
            _with_request_id,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.BytesLoggerFactory(file=cast("BinaryIO", StandardError())),
        cache_logger_on_first_use=False,
    )


class StandardError:
    """Looks up ``sys.stderr`` at each write, so that a redirection in the meantime takes effect."""

    @staticmethod
    def write(line: bytes) -> int:
        """Write a whole line."""
        return sys.stderr.buffer.write(line)

    @staticmethod
    def flush() -> None:
        """Pass on what was written."""
        sys.stderr.buffer.flush()


def log_answer(request: Request, status: int, seconds: float) -> None:
    """Log one answered request.

    The line has the same form as every other, but bypasses structlog, whose chain costs more than the guard.
    """
    name = request.environ[REQUEST_ID]
    _lines.put(
        (request.method, request.path, status, seconds, request.remote_addr, name, clock.epoch_seconds())
    )


def request_id() -> str:
    """Return the id of the current request; empty outside a request of this service."""
    return request.environ.get(REQUEST_ID, "") if has_request_context() else ""


def _answered(answer: Answered) -> bytes:
    """Render the line of one answer.

    This happens when the line is written, many at a time under load: cheaper than one by one between two
    requests.
    """
    method, path, status, seconds, ip, name, moment = answer
    line = {
        "method": method[:32],
        "path": path[:MAX_PATH_LENGTH],
        "status": status,
        "milliseconds": round(seconds * 1000, 2),
        "ip": ip,
        "event": "request.answered",
        "request_id": name,
        "level": "info",
        "timestamp": datetime.fromtimestamp(moment, UTC),
    }
    return _plain(orjson.dumps(line, option=_LINE))


def _with_request_id(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    if name := request_id():
        event["request_id"] = name
    return event


def _dumps(event: object, **_options: object) -> bytes:
    return _plain(orjson.dumps(event, default=str))


def _plain(line: bytes) -> bytes:
    """Return the line in ASCII.

    JSON leaves other characters as they are, and a reader may take one for a line end, a terminal for a
    command.
    """
    if line.isascii():
        return line
    return json.dumps(orjson.loads(line)).encode() + (b"\n" if line.endswith(b"\n") else b"")


_lines = BufferedLines(_answered)
