"""An answer that is complete is sent as werkzeug would send it, and is closed after that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Response
from werkzeug.test import EnvironBuilder

from rbac_api.web.responses.json_response import CompleteResponse


def generated() -> Iterator[bytes]:
    yield b"one"
    yield b"two"


BODIES: dict[str, Callable[[], Any]] = {
    "bytes": lambda: b"one",
    "text": lambda: "\u00e9",
    "no body": lambda: None,
    "two pieces": lambda: [b"one", b"two"],
    "pieces of text": lambda: ["one", "\u00e9"],
    "a tuple": lambda: (b"one", b"two"),
    "a stream": generated,
}


def sent(kind: type[Response], method: str, status: int, body: Any) -> tuple[Any, ...]:
    """Status, headers and body that a server gets, and how often the answer was closed."""
    closed: list[bool] = []
    answer = kind(body, status=status, headers={"ETag": "x"})
    answer.call_on_close(lambda: closed.append(True))
    started: list[Any] = []
    environ = EnvironBuilder("/", method=method).get_environ()
    pieces: Any = answer(environ, lambda *given: started.append(given))
    whole = b"".join(pieces)
    assert closed == []
    pieces.close()
    return (*started, whole, closed)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize(
    ("method", "status"), [("GET", 200), ("GET", 404), ("GET", 304), ("HEAD", 200), ("POST", 200)]
)
def test_it_is_what_werkzeug_sends(method: str, status: int, body: str) -> None:
    made = BODIES[body]

    assert sent(CompleteResponse, method, status, made()) == sent(Response, method, status, made())
    assert sent(CompleteResponse, method, status, made())[-1] == [True]
