"""The service over HTTP for a verifier in this process, and somebody on the line between the two."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, TypeVar

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from rbac_verifier import Verifier
from rbac_verifier.flask import FlaskVerifier
from tests.builders import Caller, Stage
from tests.cast import ALICE, DAVE

Change = Callable[[str, bytes], bytes]
POLL, BOUND = 0.1, 60.0
V = TypeVar("V", bound=Verifier)


class Silent(WSGIRequestHandler):
    """Writes no log."""

    def log(self, *_: Any, **__: Any) -> None: ...


class Line:
    """The way to the service. ``change`` may put other words into its mouth; ``asked`` is what was asked of it; ``cut`` cuts it."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self.change: Change = lambda _path, body: body
        self.asked: list[str] = []
        self.cut = False
        self.moved_to = ""

    def __call__(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        path = environ["PATH_INFO"]
        self.asked.append(path)
        if self.cut or self.moved_to:
            start(
                *(("302 Found", [("Location", self.moved_to)]) if self.moved_to else ("503 Unavailable", []))
            )
            return [b""]
        body = b"".join(
            self._app(environ, lambda status, headers, *_: self._heard.update(s=status, h=headers))
        )
        kept = [(name, value) for name, value in self._heard["h"] if name.lower() != "content-length"]
        start(self._heard["s"], kept)
        return [self.change(path, body)]

    @property
    def _heard(self) -> dict[str, Any]:
        own = threading.current_thread()
        return own.__dict__.setdefault("heard", {})


class Field:
    """A stage, served; and a verifier that follows it."""

    def __init__(self, stage: Stage, line: Line, address: str) -> None:
        self.stage, self.line, self.address = stage, line, address
        self._made = ExitStack()

    def verifier(self, **options: Any) -> FlaskVerifier:
        return self.make(FlaskVerifier, **options)

    def make(self, kind: type[V], **options: Any) -> V:
        """A verifier of this kind, closed with the field."""
        given = {"service": self.address, "poll_seconds": POLL, "bound_seconds": BOUND, **options}
        made = kind(self.stage.settings.issuer_url, self.stage.settings.audience, **given)
        self._made.callback(made.close)
        return made

    def token(self, person: Any) -> tuple[str, Caller]:
        caller = self.stage.as_(person)
        return str(caller.tokens["access_token"]), caller

    def close(self) -> None:
        self._made.close()


@pytest.fixture
def field(stage: Stage) -> Iterator[Field]:
    line = Line(stage.app.wsgi_app if hasattr(stage.app, "wsgi_app") else stage.app)
    server = make_server("127.0.0.1", 0, line, threaded=True, request_handler=Silent)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    serving.start()
    found = Field(stage, line, f"http://127.0.0.1:{server.server_port}")
    yield found
    found.close()
    server.shutdown()
    serving.join()
    server.server_close()


@pytest.fixture
def alice(field: Field) -> Caller:
    """She has made a role that Dave has."""
    alice = field.stage.as_(ALICE)
    for name in ("invoices:read", "invoices:approve"):
        alice.post("/v1/permissions", json={"name": name, "description": "x"})
    made = alice.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"]})
    given = alice.put(f"/v1/users/{field.stage.user_id(DAVE)}/roles/clerk")
    assert (made.status_code, given.status_code) == (201, 201)
    return alice
