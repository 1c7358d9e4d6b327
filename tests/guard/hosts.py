"""Applications of somebody else, of several makes, and a picture of everything that an application is made of."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any

import structlog
from flask import Blueprint, Flask, Response, g, jsonify, request
from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required

from rbac_api import admin_required, public, requires, requires_role
from rbac_api.errors import Conflict
from tests import coroutines

HOST_SECRET = "a secret of the host's own, of no concern to anybody else"
Install = Callable[[Flask], None]


def bare(app: Flask) -> None:
    """Nothing of its own."""


def careful(app: Flask) -> None:
    """A word of its own on every error."""
    app.register_error_handler(Exception, lambda error: (f"host: {type(error).__name__}", 500))
    for status in (401, 403, 404, 405, 422, 503):
        app.register_error_handler(status, lambda error: (f"host: {error.code}", error.code))


def logged_in(app: Flask) -> None:
    """As Flask-Login does: finds its own user before each request, and puts a header on each answer."""

    @app.before_request
    def _() -> None:
        g.user = request.headers.get("X-User", "nobody")

    @app.after_request
    def _(answer: Response) -> Response:
        answer.headers.add("X-Seen-By-Host", g.user)
        return answer

    @app.teardown_request
    def _(fault: BaseException | None) -> None:
        app.extensions.setdefault("faults-seen", []).append(fault)

    app.extensions["login-manager"] = object()


def configured(app: Flask) -> None:
    """Values of its own for whatever this service and its libraries have values for."""
    app.config.update(
        APPLICATION_ROOT="/app",
        MAX_CONTENT_LENGTH=12,
        SECRET_KEY="host",
        SESSION_COOKIE_NAME="of-the-host",
        JSON_SORT_KEYS=True,
        JWT_ALGORITHM="HS512",
        JWT_DECODE_AUDIENCE="host",
        JWT_ENCODE_AUDIENCE="host",
        RBAC_CURSOR_KEY="host",
    )
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.json.sort_keys = True  # type: ignore[attr-defined]


def with_tokens(app: Flask) -> None:
    """Tokens of its own, by the library that this service uses, too."""
    app.config.update(
        JWT_SECRET_KEY=HOST_SECRET, JWT_ALGORITHM="HS256", JWT_TOKEN_LOCATION=["headers", "cookies"]
    )
    JWTManager(app)


HOSTS: dict[str, tuple[Install, ...]] = {
    "bare": (bare,),
    "careful": (careful,),
    "logged-in": (logged_in,),
    "configured": (configured,),
    "with-tokens": (with_tokens,),
    "all-of-it": (careful, logged_in, configured, with_tokens),
}


class HostApp(Flask):
    """Runs coroutines in a loop of its own, as Flask's documentation proposes where asgiref is not wanted."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        if not inspect.iscoroutinefunction(func):
            return func
        return lambda *args, **kwargs: coroutines.run(func(*args, **kwargs))


def add_routes(app: Flask) -> None:
    """The host's own routes, and those that our decorators guard: on the application and on a careful blueprint."""
    app.add_url_rule("/own", "own", lambda: jsonify(b=1, a=2))
    app.add_url_rule("/broken", "broken", _broken)
    app.add_url_rule("/host-login", "host_login", lambda: create_access_token("hostess"))
    app.add_url_rule("/host-only", "host_only", jwt_required()(get_jwt_identity))
    guarded = Blueprint("guarded", __name__, url_prefix="/guarded")
    guarded.register_error_handler(Exception, lambda error: (f"blueprint: {type(error).__name__}", 500))
    for target, prefix in ((app, "/plain"), (guarded, "")):
        target.add_url_rule(f"{prefix}/any", "any", requires()(lambda: "in"))
        target.add_url_rule(f"{prefix}/may", "may", requires("no:thing")(lambda: "in"))
        target.add_url_rule(f"{prefix}/role", "role", requires_role("nothing")(lambda: "in"))
        target.add_url_rule(f"{prefix}/admin", "admin", admin_required(lambda: "in"), methods=["GET", "POST"])
        target.add_url_rule(f"{prefix}/open", "open", public(lambda: "in"))
        target.add_url_rule(f"{prefix}/soon", "soon", requires()(_soon))
        target.add_url_rule(f"{prefix}/open-soon", "open_soon", public(_soon))
        target.add_url_rule(f"{prefix}/clash", "clash", requires()(_clash))
        target.add_url_rule(f"{prefix}/open-clash", "open_clash", public(_clash))
        target.add_url_rule(f"{prefix}/broken", "broken_inside", requires()(_broken))
    app.register_blueprint(guarded)


async def _soon() -> str:
    return "in, soon"


def _broken() -> str:
    raise ZeroDivisionError


def _clash() -> str:
    raise Conflict("as a service function of ours may")


def picture(app: Flask) -> dict[str, Any]:
    """Everything that is in an application, in its loggers and in the process's logging, in a form that can be compared."""
    made_when_looked_at = (app.jinja_env, app.logger)
    found = {name: _frozen(value) for name, value in sorted(vars(app).items())}
    found["class"] = (type(app), len(made_when_looked_at))
    found["rules"] = sorted(str(rule) for rule in app.url_map.iter_rules())
    found["converters"] = dict(app.url_map.converters)
    found["json"] = vars(app.json)
    found["session"] = _frozen(app.session_interface)
    found["commands"] = sorted(app.cli.commands)
    found["globals"] = sorted(app.jinja_env.globals)
    for logger in (logging.getLogger(), app.logger):
        found[f"logger {logger.name}"] = (logger.level, tuple(logger.handlers), tuple(logger.filters))
    found["structlog"] = structlog.get_config()
    return found


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_frozen(item) for item in value]
    return (
        value
        if value is None or isinstance(value, str | bytes | int | float | set)
        else (type(value), id(value))
    )
