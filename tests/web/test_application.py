"""The short way to bind the routes must end where Flask's own does, and be taken only where it does."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
from flask import Flask, Request, Response, after_this_request, request_tearing_down
from werkzeug.exceptions import HTTPException
from werkzeug.test import create_environ

from rbac_api.web.application import Answer, Application

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


BODY = b'{"ok":true}'


def streamed() -> Iterator[bytes]:
    yield BODY


ANSWERS: dict[str, Callable[[type[Response]], Response]] = {
    "whole": lambda kind: kind(BODY, headers={"X-Own": "1"}),
    "text": lambda kind: kind("caf\u00e9"),
    "empty": lambda kind: kind(),
    "created": lambda kind: kind(BODY, 201, {"Location": "/v1/r\u00f4les"}),
    "moved": lambda kind: kind(BODY, 302, {"Location": "/elsewhere"}),
    "located": lambda kind: kind(BODY, 200, {"Location": "/r\u00f4les"}),
    "content located": lambda kind: kind(BODY, 200, {"content-location": "/r\u00f4les"}),
    "nothing": lambda kind: kind(BODY, 204),
    "unchanged": lambda kind: kind(BODY, 304, {"ETag": '"a"'}),
    "refused": lambda kind: kind(BODY, 403),
    "several pieces": lambda kind: kind([b"a", b"b"]),
    "one piece without a length": lambda kind: kind([b"a"]),
    "a piece of text": lambda kind: kind(["a"], headers={"Content-Length": "1"}),
    "streamed": lambda kind: kind(streamed()),
    "passed through": lambda kind: kind([BODY], direct_passthrough=True),
    "own length": lambda kind: kind([BODY], headers={"Content-Length": "11"}),
    "two cookies": lambda kind: with_cookies(kind(BODY)),
}


def with_cookies(answer: Response) -> Response:
    answer.set_cookie("a", "1")
    answer.set_cookie("b", "2", httponly=True)
    return answer


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_is_sent_as_the_framework_would_send_it(name: str, method: str) -> None:
    environ = create_environ("/v1/roles", method=method)

    sent = [ANSWERS[name](kind).get_wsgi_response(dict(environ)) for kind in (Answer, Response)]

    ours, theirs = ((b"".join(body), status, headers) for body, status, headers in sent)
    assert ours == theirs


def test_a_whole_answer_is_sent_without_a_copy_of_its_body() -> None:
    answer = Answer(BODY)

    assert answer.get_wsgi_response(create_environ("/"))[0] is answer.response


def test_what_is_to_happen_at_the_end_of_an_answer_happens() -> None:
    ended: list[str] = []
    answer = Answer(BODY)
    answer.call_on_close(lambda: ended.append("closed"))

    body = answer.get_wsgi_response(create_environ("/"))[0]
    assert (b"".join(body), ended) == (BODY, [])
    body.close()  # type: ignore[attr-defined]  # as a server does, PEP 3333

    assert ended == ["closed"]


def test_every_answer_of_the_application_is_one_of_those() -> None:
    app = Application("ours", static_folder=None)
    with app.test_request_context():
        assert type(app.make_response((BODY, 200))) is Answer
