"""A name for each request: the client's own if it is a decent one, else a new UUID.  Echoed, logged, and kept in the trail."""

from __future__ import annotations

import re
import uuid

from flask import Flask, Response, g, request

_DECENT = re.compile(r"[A-Za-z0-9._-]{1,128}")
HEADER = "X-Request-ID"


def register_request_id(app: Flask) -> None:
    """Name requests before anything else looks at them, and say the name in every answer."""

    @app.before_request
    def _() -> None:
        offered = request.environ.get("HTTP_X_REQUEST_ID")
        g.request_id = offered if offered and _DECENT.fullmatch(offered) else uuid.uuid4().hex

    @app.after_request
    def _(answer: Response) -> Response:
        answer.headers[HEADER] = g.get("request_id") or uuid.uuid4().hex
        answer.headers["X-Content-Type-Options"] = "nosniff"
        if g.get("authz_stale"):
            answer.headers["Authz-Stale"] = (
                "true"  # the roles in the presented token are not the present ones
            )
        return answer
