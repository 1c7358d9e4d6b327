"""What the server does for Swagger UI: one page, a short list of files, strict headers; nothing when it is switched off."""

import sys
from collections.abc import Callable
from functools import partial

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from rbac_api.factory import close_app, create_app
from rbac_api.web.docs import HEADERS, register_docs
from tests.builders import build, settings_for
from tests.conftest import Stages

Get = Callable[..., TestResponse]


@pytest.fixture
def get(stages: Stages) -> Get:
    return partial(stages.get("sqlite").app.test_client().get, buffered=True)  # read to the end, and closed


@pytest.mark.parametrize(
    "path", ["/docs", "/docs/", "/docs/assets/docs.js", "/docs/assets/swagger-ui-bundle.js"]
)
def test_the_page_and_its_files_allow_nothing_foreign(get: Get, path: str) -> None:
    answer = get(path)

    assert answer.status_code == 200
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("docs.css", "text/css"),
        ("bar.js", "text/javascript"),
        ("favicon-32x32.png", "image/png"),
        ("LICENSE", "text/plain"),
    ],
)
def test_media_types_are_stated(get: Get, name: str, media_type: str) -> None:
    assert get(f"/docs/assets/{name}").mimetype == media_type


@pytest.mark.parametrize("path", ["/docs", "/docs/assets/docs.css"])
def test_an_unchanged_file_is_not_sent_again(get: Get, path: str) -> None:
    first = get(path)

    again = get(path, headers={"If-None-Match": first.headers["ETag"]})

    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    "name", ["oauth2-redirect.html", "docs.html", "../docs.py", "..%2fdocs.py", "/etc/passwd", "%00"]
)
def test_files_off_the_list_do_not_exist(get: Get, name: str) -> None:
    answer = get(f"/docs/assets/{name}")

    assert answer.status_code == 404
    assert '"code":"resource.not_found"' in answer.text


def test_the_page_finds_its_files_under_a_proxys_prefix(get: Get) -> None:
    page = get("/docs", environ_overrides={"SCRIPT_NAME": '/people"s'}).text

    assert 'href="/people%22s/docs/assets/docs.css"' in page
    assert "{{" not in page


def test_the_page_holds_no_script_of_its_own(get: Get) -> None:
    page = get("/docs").text

    assert page.count("<script") == page.count('<script src="/docs/assets/') == 2
    assert " on" not in page.partition("<body>")[2].replace(" one", "").replace(" on the", "")


def test_a_missing_package_is_named_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flask_swagger_ui", None)  # as where it is not installed

    with pytest.raises(RuntimeError, match="install flask-swagger-ui, or switch RBAC_DOCS off"):
        register_docs(Flask("bare"))


def test_switched_off_there_is_no_page_and_no_file(empty_url: str) -> None:
    settings = settings_for(empty_url, docs=False)
    build(settings)
    app = create_app(settings)

    found = [
        app.test_client().get(path).status_code for path in ("/docs", "/docs/assets/docs.js", "/openapi.json")
    ]

    close_app(app)
    assert found == [404, 404, 200]
