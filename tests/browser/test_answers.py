"""After Execute: the answer in sight, a message that it was done or why it was not, and a QR code where there is something to scan."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import OpenPage
from tests.browser.page import DocsPage
from tests.cast import PASSWORD
from tests.servers.running import ADMIN

NEAR = 120  # pixels
OWN = "a passphrase of my own choosing"


@pytest.fixture(params=[1280, 400])
def wide(request: pytest.FixtureRequest, chromium: Browser, service: str) -> Iterator[DocsPage]:
    """Swagger UI in a window of this width, with Alice signed in; the clipboard may be read."""
    context = chromium.new_context(
        viewport={"width": request.param, "height": 720}, permissions=["clipboard-read"]
    )
    page = DocsPage(context.new_page())
    page.open(f"{service}/docs")
    page.sign_in_by_bar(ADMIN, PASSWORD)
    yield page
    assert page.violations == []
    context.close()


def refused_page(alices: DocsPage, open_page: OpenPage, service: str, username: str) -> DocsPage:
    """A page on which somebody without roles has just been refused."""
    alices.done(201, "create_user", {"username": username, "password": "chosen by somebody else"})
    page = open_page(service)
    page.sign_in_by_bar(username, "chosen by somebody else")
    page.done(204, "change_my_password", {"current_password": "chosen by somebody else", "new_password": OWN})
    page.done(403, "list_roles")
    return page


def test_the_answer_is_in_sight_right_below_execute(wide: DocsPage) -> None:
    bar = wide.tab.locator("#bar").bounding_box()
    assert bar
    for operation in ("get_me", "list_permissions", "create_permission"):
        wide.execute(operation)
        block = wide.operation(operation)
        button = block.locator(".execute").bounding_box()
        status = block.locator(".live-responses-table .response-col_status").last.bounding_box()
        body = block.locator(".live-responses-table .highlight-code").bounding_box()
        assert button
        assert status
        assert body

        assert 0 <= status["y"] - (button["y"] + button["height"]) <= NEAR
        assert button["y"] >= bar["y"] + bar["height"]
        assert body["y"] + min(body["height"], 100) <= 720
        order = block.locator(".live-responses-table, .curl-command, .request-url").evaluate_all(
            "parts => parts.map((part) => part.className.split(' ').at(-1))"
        )
        assert order == ["live-responses-table", "curl-command", "request-url"]


def test_a_write_that_succeeded_is_said_and_a_copy_too(wide: DocsPage) -> None:
    name = f"said:w{wide.tab.viewport_size['width']}"  # type: ignore[index]
    wide.done(201, "create_permission", {"name": name, "description": "Tried in a test."})
    assert "Done: Create a permission" in wide.toast_text()
    wide.done(200, "get_me")
    assert "GET /v1/me" not in wide.toast_text()

    block = wide.operation("get_me")
    block.locator(".live-responses-table .copy-to-clipboard button").first.click()

    expect(wide.tab.get_by_text("Copied to the clipboard")).to_be_visible()
    assert f'"username": "{ADMIN}"' in wide.tab.evaluate("navigator.clipboard.readText()")


def test_good_news_leaves_by_itself(alices: DocsPage) -> None:
    alices.done(201, "create_permission", {"name": "brief:news", "description": "Tried in a test."})
    toast = alices.tab.get_by_text("Done: Create a permission")
    expect(toast).to_be_visible()
    toast.hover()
    alices.tab.wait_for_timeout(7_000)
    expect(toast).to_be_visible()

    alices.tab.mouse.move(5, 5)

    expect(toast).to_have_count(0)


def test_a_refusal_is_explained_on_the_page(alices: DocsPage, open_page: OpenPage, service: str) -> None:
    page = refused_page(alices, open_page, service, "curious")
    decision = re.search(r"decision ([0-9a-f-]{36})", page.toast_text())
    assert decision

    page.tab.get_by_role("button", name="Why?").press("Enter")

    told = page.tab.locator(".explanation")
    expect(told).to_be_focused()
    expect(told).to_contain_text("curious asked for roles:read")
    expect(told).to_contain_text("no effective role grants roles:read")
    expect(told).to_contain_text("You cannot assign a role that would permit it.")
    nearest = alices.done(200, "get_decision", decision_id=decision[1])["nearest"]
    assert "admin" in nearest


def test_an_explanation_names_the_roles_that_its_reader_may_assign(alices: DocsPage) -> None:
    """Shown by the page's own code, as it would be to somebody who may assign roles but is refused something else."""
    told = alices.tab.evaluate(
        """async () => {
            const at = document.querySelector("script[type=module]").src.replace("docs.js", "explanation.js");
            const { explanation } = await import(at);
            const because = [{ code: "x", detail: "<b>no</b> role" }];
            return explanation({ user: null, permission: null, at: "2026-11-30T09:00:00Z", because, nearest: ["auditor"] }).innerHTML;
        }"""
    )

    assert "&lt;b&gt;no&lt;/b&gt; role" in told
    assert '<ul class="roles"><li class="">auditor</li></ul>' in told


def test_a_second_factor_is_scanned_from_the_answer(wide: DocsPage) -> None:
    answer = wide.done(201, "enrol_totp", {"current_password": PASSWORD})

    picture = wide.operation("enrol_totp").get_by_alt_text("QR code")

    expect(picture).to_be_in_viewport(ratio=1)
    assert picture.get_attribute("src") == answer["qr_code"]
    assert picture.evaluate("image => image.complete && image.naturalWidth > 100")
    assert base64.b64decode(answer["qr_code"].partition(",")[2]).startswith(b"\x89PNG")


def test_roles_are_seen_as_a_picture(wide: DocsPage) -> None:
    wide.prepare("get_role_graph")
    block = wide.operation("get_role_graph")
    block.locator(".responses-table select").first.select_option("image/svg+xml")
    wide.press_execute("get_role_graph")

    picture = block.get_by_alt_text("roles and what they inherit")

    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.complete && image.naturalWidth > 500")
    frame = block.locator("figure.picture")
    assert frame.evaluate("box => box.getBoundingClientRect().right <= innerWidth")
    assert frame.evaluate("box => box.scrollHeight <= box.clientHeight || box.tabIndex === 0")


FOUND = {
    "Assign a role to a user": "assign_role",
    "/v1/me/totp": "enrol_totp",
    "ENROL_TOTP": "enrol_totp",
    "incidents": "list_incidents",
    "delete role": "delete_role",
    "séssions": "list_sessions",
}


def test_the_filter_finds_operations_by_whatever_names_them(alices: DocsPage) -> None:
    field = alices.tab.get_by_role("textbox", name="Filter operations")
    for phrase, operation in FOUND.items():
        field.fill(phrase)
        expect(alices.operation("login")).to_have_count(0)
        expect(alices.operation(operation)).to_be_visible()

    field.fill("no such operation")

    expect(alices.tab.get_by_text("No operation contains all of these words")).to_be_visible()
