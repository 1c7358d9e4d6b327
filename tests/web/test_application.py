"""The short way to bind the routes must end where Flask's own does, and be taken only where it does."""

from functools import partial

import pytest
from flask import Flask, Request, after_this_request, request_tearing_down
from werkzeug.exceptions import HTTPException
from werkzeug.test import create_environ

from rbac_api.web.application import Application

HOSTS = (
    "127.0.0.1:8000",
    "Example.com",
    "example.com:80",
    "example.com:443",
    "a-b.example",
    "localhost:59999",
)
ODD_HOSTS = (
    "[::1]:8000", "b\u00fccher.example", "a..b", "x" * 64, "evil/host", "user@host", "", "a:0", "a:080", "a:65536", "a:60000", "a:",
)  # fmt: skip


def bound(app: Flask, host: str, **more: str) -> dict[str, object] | str:
    environ = (
        create_environ("/v1/r\u00f4les", query_string="q=\u00e9&r=1", method="PUT")
        | {"HTTP_HOST": host}
        | more
    )
    request = Request(environ)
    try:
        adapter = (
            Flask.create_url_adapter(app, request) if more.get("flask") else app.create_url_adapter(request)
        )
    except HTTPException as refusal:
        return type(refusal).__name__
    return {**vars(adapter), "map": None, "host": request.host}


@pytest.mark.parametrize("host", HOSTS + ODD_HOSTS)
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"wsgi.url_scheme": "https"},
        {"wsgi.url_scheme": "odd"},
        {"SCRIPT_NAME": "/below"},
        {"HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "upgrade"},
    ],
)
def test_the_short_way_ends_where_the_long_one_does(host: str, more: dict[str, str]) -> None:
    app = Application("ours", static_folder=None)

    assert bound(app, host, **more) == bound(app, host, flask="yes", **more)


def test_outside_a_request_and_with_a_list_of_hosts_flask_decides() -> None:
    app = Application("ours", static_folder=None)
    assert app.create_url_adapter(None) is None

    app.config["TRUSTED_HOSTS"] = ["good.example"]

    assert bound(app, "bad.example") == "SecurityError"


def test_what_is_registered_around_a_request_is_called_as_flask_calls_it() -> None:
    heard = told(Application("ours", static_folder=None))

    assert heard == told(Flask("bare", static_folder=None))
    assert heard == [
        "view",
        "once",
        "ended",
        "values",
        "before",
        "view",
        "once",
        "after",
        "teardown",
        "ended",
    ]


def told(app: Flask) -> list[str]:
    """What is heard of two requests: one before anything was registered, one after."""
    heard: list[str] = []

    def view() -> str:
        heard.append("view")
        after_this_request(lambda answer: heard.append("once") or answer)
        return ""

    app.add_url_rule("/", view_func=view)
    ended = partial(heard.append, "ended")
    with request_tearing_down.connected_to(lambda _app, **_facts: ended(), app):
        app.test_client().get("/")
        app._got_first_request = False  # or Flask takes no more registrations
        app.url_value_preprocessor(lambda _endpoint, _arguments: heard.append("values"))
        app.before_request(lambda: heard.append("before"))
        app.after_request(lambda answer: heard.append("after") or answer)
        app.teardown_request(lambda _fault: heard.append("teardown"))
        app.test_client().get("/")
    return heard
