"""The outermost layer of HTTP: body limit, trusted proxies, cross-origin rules, cache rules, one log line per request."""

from __future__ import annotations

from time import perf_counter

from flask import Flask, Response, g, request
from flask_cors import CORS
from werkzeug.middleware.proxy_fix import ProxyFix

from rbac_api.settings import Settings
from rbac_api.web.logs import log

LARGEST_BODY = 64 * 1024


def register_surface(app: Flask, settings: Settings) -> None:
    """Everything that holds for each request alike."""
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.json.sort_keys = False  # type: ignore[attr-defined]
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_prefix=0)  # type: ignore[method-assign]
    if settings.cors_origins:
        _register_cors(app, settings)
    if settings.log_level in ("debug", "info"):
        app.after_request(_log_request)


def _register_cors(app: Flask, settings: Settings) -> None:
    CORS(
        app,
        origins=list(settings.cors_origins),
        methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "If-Match",
            "If-None-Match",
            "Idempotency-Key",
            "X-Request-ID",
        ],
        expose_headers=[
            "ETag",
            "Link",
            "Location",
            "Retry-After",
            "WWW-Authenticate",
            "X-Request-ID",
            "Authz-Stale",
        ],
        supports_credentials=False,
        vary_header=True,
        always_send=False,
    )


def _log_request(answer: Response) -> Response:
    log.info(
        "request.answered",
        method=request.method,
        path=request.path,
        status=answer.status_code,
        milliseconds=round((perf_counter() - g.get("began", perf_counter())) * 1000, 2),
        ip=request.remote_addr,
    )
    return answer
