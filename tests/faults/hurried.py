"""The product with small bounds, and with routes that do what no route of it should: a test need not wait for the real ones."""

import os
import resource
from collections.abc import Iterator

from flask import Flask

from rbac_api.cli import exchange, serve, worker
from rbac_api.factory import create_app
from rbac_api.settings import Settings

STALLED_SECONDS = 1.0
LEAST_RATE = 1024 * 1024
MOST_CONNECTIONS = 50
MOST_HELD = 1024 * 1024
PIECE = b"x" * 100_000


def breaks() -> Iterator[bytes]:
    """A body that ends amid itself."""
    yield PIECE
    raise RuntimeError("amid the answer")


class Endless:
    """A body that never ends, and says when it is let go."""

    def __iter__(self) -> "Endless":
        return self

    def __next__(self) -> bytes:
        return PIECE

    def close(self) -> None:
        print("let go", flush=True)  # noqa: T201 -- the test reads it


def make_app(settings: Settings) -> Flask:
    app = create_app(settings)
    app.add_url_rule("/breaks", view_func=breaks)
    app.add_url_rule("/endless", "endless", lambda: app.response_class(Endless()))
    return app


if __name__ == "__main__":
    exchange.STALLED_SECONDS, exchange.LEAST_RATE = STALLED_SECONDS, LEAST_RATE
    serve.MOST_CONNECTIONS = MOST_CONNECTIONS
    worker.MOST_HELD, worker.LOOK_SECONDS = MOST_HELD, 0.1
    if files := int(os.environ.get("FILES", "0")):
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        serve.MOST_CONNECTIONS, serve.OTHER_FILES = 1000, -2000  # it believes that there are enough
    serve.serve(make_app)
