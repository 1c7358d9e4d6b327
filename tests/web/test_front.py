"""`GET /`: a browser is led to the documentation, a program to the OpenAPI document, and neither into a 404."""

from __future__ import annotations

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from rbac_api.factory import close_app, create_app
from tests.builders import build, settings_for
from tests.conftest import Stages

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
PEOPLE = [BROWSER, "*/*", None, "text/html", "text/html, application/json"]
PROGRAMS = ["application/json", "application/json, text/html;q=0.9", "application/json, */*;q=0.5"]


def front(app: Flask, accept: str | None, prefix: str = "") -> TestResponse:
    headers = {} if accept is None else {"Accept": accept}
    return app.test_client().get("/", headers=headers, environ_overrides={"SCRIPT_NAME": prefix})


@pytest.fixture
def app(stages: Stages) -> Flask:
    return stages.get("sqlite").app


@pytest.mark.parametrize("prefix", ["", "/rbac", "/people's"])
@pytest.mark.parametrize("accept", PEOPLE)
def test_a_browser_is_led_to_the_documentation(app: Flask, accept: str | None, prefix: str) -> None:
    answer = front(app, accept, prefix)

    assert (answer.status_code, answer.headers["Location"]) == (303, f"{prefix}/docs".replace("'", "%27"))
    assert (answer.headers["Vary"], answer.headers["Cache-Control"]) == ("Accept", "no-cache")
    assert app.test_client().get("/", headers={"Accept": BROWSER}, follow_redirects=True).status_code == 200


@pytest.mark.parametrize("accept", PROGRAMS)
def test_a_program_gets_the_addresses_to_go_on_from(app: Flask, accept: str) -> None:
    answer = front(app, accept, "/rbac")

    assert (answer.status_code, answer.headers["Vary"]) == (200, "Accept")
    assert answer.json == {
        "name": "rbac-api",
        "openapi": "/rbac/openapi.json",
        "ready": "/rbac/readyz",
        "docs": "/rbac/docs",
    }
    for name in ("openapi", "ready", "docs"):
        assert app.test_client().get(answer.json[name].removeprefix("/rbac")).status_code == 200


def test_without_the_page_the_answer_says_so_and_leads_on(empty_url: str) -> None:
    settings = settings_for(empty_url, docs=False)
    build(settings)
    app = create_app(settings)

    page, document = front(app, BROWSER, '/"x'), front(app, "application/json").json or {}

    close_app(app)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "RBAC_DOCS=off" in page.text
    assert 'href="/%22x/openapi.json"' in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert document["docs"] is None
    assert "/openapi.json" in document["openapi"]


@pytest.mark.parametrize(("method", "status"), [("HEAD", 303), ("POST", 405), ("DELETE", 405)])
def test_other_methods_are_answered_as_everywhere(app: Flask, method: str, status: int) -> None:
    assert app.test_client().open("/", method=method).status_code == status
