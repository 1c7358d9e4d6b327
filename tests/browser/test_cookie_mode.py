"""Cookie mode in a real browser: what a page of ours can do, and what pages at other origins cannot."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page

from tests.cast import PASSWORD
from tests.conftest import Stages
from tests.servers.running import ADMIN, running_service

ASK = """async ([url, method, body, headers]) => {
    const sent = body ? {"Content-Type": "application/json", ...headers} : headers;
    const answer = await fetch(url, {method, headers: sent, body: body && JSON.stringify(body), credentials: "include"});
    const text = await answer.text();
    return [answer.status, text ? JSON.parse(text) : null, answer.headers.get("X-CSRF-TOKEN")];
}"""
# What no server need agree to beforehand: a "simple" request, whose answer the page cannot read but which is sent all the same.
PUSH = """async ([url, body]) => (await fetch(url,
    {method: "POST", mode: "no-cors", credentials: "include", headers: {"Content-Type": "text/plain"}, body})).type"""
SUBMIT = """([url, body]) => {
    const form = Object.assign(document.createElement("form"), {action: url, method: "post", enctype: "text/plain"});
    form.append(Object.assign(document.createElement("input"), {name: body, value: ""}));
    document.body.append(form);
    form.submit();
}"""
LOGIN = {"username": ADMIN, "password": PASSWORD}


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title><body>")

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[int]:
    """The port of a server of somebody else's."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def closed(stages: Stages) -> Iterator[str]:
    """A service that allows no other origin."""
    with running_service(stages.empty_database("sqlite", "closed")) as address:
        yield address


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    opened = chromium.new_context()
    yield opened
    opened.close()


def page_at(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(url)
    return page


def ask(page: Page, url: str, method: str = "GET", body: Any = None, **headers: str) -> list[Any]:
    """Status, body and CSRF token of an answer, as the page's script sees them."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    found: list[Any] = page.evaluate(ASK, [url, method, body, sent])
    return found


def signed_in(context: BrowserContext, address: str) -> tuple[Page, str]:
    """A page of ours with Alice signed in, and its CSRF token."""
    page = page_at(context, f"{address}/healthz")
    status, body, _ = ask(page, "/v1/auth/login?mode=cookie", "POST", LOGIN)
    assert status == 200
    return page, body["csrf_token"]


def refusals(service: str, code: str) -> int:
    """How many requests were refused so: the trail writes those of one cause once a minute, the figures count each."""
    figures = requests.get(f"{service}/metrics", timeout=30).text
    found = re.findall(rf'^rbac_refusals_total{{code="{re.escape(code)}"}} (\d+)', figures, re.MULTILINE)
    return sum(map(int, found))


def test_the_honest_page_works_also_after_a_reload(context: BrowserContext, closed: str) -> None:
    page, token = signed_in(context, closed)
    assert ask(page, "/v1/roles", "POST", {"name": "first"}, X_CSRF_TOKEN=token)[0] == 201
    assert ask(page, "/v1/roles", "POST", {"name": "second"})[:2][0] == 403

    page.reload()
    status, _, again = ask(page, "/v1/me")

    assert (status, again) == (200, token)
    assert ask(page, "/v1/auth/refresh", "POST", None, X_CSRF_TOKEN=again)[1]["csrf_token"] == token
    assert ask(page, "/v1/roles", "POST", {"name": "third"}, X_CSRF_TOKEN=again)[0] == 201
    assert ask(page, "/v1/auth/logout", "POST", None, X_CSRF_TOKEN=again)[0] == 204
    assert context.cookies() == []
    assert ask(page, "/v1/me")[0] == 401


def test_no_script_reads_the_cookies(context: BrowserContext, closed: str) -> None:
    page, _ = signed_in(context, closed)

    assert page.evaluate("document.cookie") == ""
    assert {cookie["name"] for cookie in context.cookies()} == {"__Host-rbac-access", "__Host-rbac-refresh"}
    for cookie in context.cookies():
        assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Strict")


@pytest.mark.parametrize(("host", "code"), [("127.0.0.1", "csrf.failed"), ("localhost", "token.missing")])
def test_a_page_elsewhere_neither_reads_nor_writes(
    context: BrowserContext, closed: str, elsewhere: int, host: str, code: str
) -> None:
    """To the same site (127.0.0.1, whatever the port) the browser sends the cookies along, to another it does not."""
    ours, _ = signed_in(context, closed)
    theirs = page_at(context, f"http://{host}:{elsewhere}/")
    before = refusals(closed, "csrf.failed")
    target = f"{closed}/v1/roles"

    assert "Failed to fetch" in theirs.evaluate(
        "url => fetch(url, {credentials: 'include'}).catch(String)", target
    )
    assert theirs.evaluate(PUSH, [target, '{"name": "pushed"}']) == "opaque"
    with theirs.expect_navigation(url=target) as navigation:
        theirs.evaluate(SUBMIT, [target, '{"name": "submitted"}'])

    assert navigation.value.json()["code"] == code
    assert refusals(closed, "csrf.failed") - before == (2 if code == "csrf.failed" else 0)
    names = {role["name"] for role in ask(ours, "/v1/roles?limit=200")[1]["items"]}
    assert not names & {"pushed", "submitted"}


def test_a_page_elsewhere_cannot_sign_the_browser_in_as_somebody_of_its_choice(
    context: BrowserContext, closed: str, elsewhere: int
) -> None:
    theirs = page_at(context, f"http://127.0.0.1:{elsewhere}/")
    target = f"{closed}/v1/auth/login?mode=cookie"
    body = json.dumps(LOGIN)

    theirs.evaluate(PUSH, [target, body])
    with theirs.expect_navigation(url=target) as navigation:
        theirs.evaluate(SUBMIT, [target, body])

    assert navigation.value.status == 415
    assert context.cookies() == []


def test_an_origin_that_is_allowed_works_like_a_page_of_ours(
    context: BrowserContext, stages: Stages, elsewhere: int
) -> None:
    origin = f"http://127.0.0.1:{elsewhere}"
    url = stages.empty_database("sqlite", "opened")
    with running_service(url, RBAC_CORS_ORIGINS=origin) as address:
        app = page_at(context, origin)
        status, body, _ = ask(app, f"{address}/v1/auth/login?mode=cookie", "POST", LOGIN)
        app.reload()
        token = ask(app, f"{address}/v1/me")[2]

        assert (status, token) == (200, body["csrf_token"])
        assert app.evaluate("document.cookie") == ""
        made = ask(app, f"{address}/v1/roles", "POST", {"name": "from-afar"}, X_CSRF_TOKEN=token)
        assert made[0] == 201
        app.goto(f"http://localhost:{elsewhere}/")
        failed = app.evaluate("url => fetch(url, {credentials: 'include'}).catch(String)", f"{address}/v1/me")
        assert "Failed to fetch" in failed
