"""The product with small bounds, and with routes that do what no route of it should: a test need not wait for the real ones."""

import os
import resource
from collections.abc import Iterator

from flask import Flask

from rbac_api.cli import exchange, serve, worker
from rbac_api.factory import create_app
from rbac_api.settings import Settings

STALLED_SECONDS = 1.0
MIN_BYTES_PER_SECOND = 1024 * 1024
MAX_CONNECTIONS = 50
MAX_BUFFERED_BYTES = 3 * 512 * 1024  # two answers as large as the document, no more
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
    exchange.STALLED_SECONDS, exchange.MIN_BYTES_PER_SECOND = STALLED_SECONDS, MIN_BYTES_PER_SECOND
    serve.MAX_CONNECTIONS = MAX_CONNECTIONS
    worker.MAX_BUFFERED_BYTES, worker.CHECK_SECONDS = MAX_BUFFERED_BYTES, 0.1
    if files := int(os.environ.get("FILES", "0")):
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
        serve.MAX_CONNECTIONS, serve.OTHER_FILES = 1000, -2000  # it believes that there are enough
    serve.serve(make_app)
