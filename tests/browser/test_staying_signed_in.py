"""Signed in over a reload, in every tab, and until signing out; and no script could take a token away."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.page import DocsPage
from tests.cast import PASSWORD
from tests.conftest import Stages
from tests.servers.running import ADMIN, running_service

OWN = "a passphrase of my own choosing"
TOKENS = """async () => {
    const kept = [document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.documentElement.innerHTML];
    return kept.join("\\n").match(/eyJ[\\w-]+\\.[\\w-]+\\.[\\w-]+/g);
}"""


@pytest.fixture(scope="module")
def brief_service(stages: Stages) -> Iterator[str]:
    """A service whose access tokens, and so their cookies, live for three seconds."""
    with running_service(stages.empty_database("sqlite", "brief"), RBAC_ACCESS_TOKEN_SECONDS="3") as found:
        yield found


def reload(page: DocsPage) -> None:
    page.tab.reload()
    expect(page.tab.locator(".opblock").first).to_be_visible(timeout=60_000)
    page.tab.wait_for_load_state("networkidle")


def test_a_reload_changes_nothing_and_no_script_sees_a_token(alices: DocsPage) -> None:
    reload(alices)

    assert alices.bar_text() == f"Signed in as {ADMIN} admin"
    assert (
        alices.done(201, "create_permission", {"name": "after:reload", "description": "Tried in a test."})[
            "name"
        ]
        == "after:reload"
    )
    assert alices.tab.evaluate(TOKENS) is None
    assert {cookie["httpOnly"] for cookie in alices.tab.context.cookies()} == {True}
    assert alices.toast_text().startswith("Done:")
    alices.done(200, "get_me")
    expect(alices.operation("get_me").locator(".answer")).not_to_contain_text("x-csrf-token")


def test_a_reload_after_the_access_cookie_has_run_out_refreshes_it(
    open_page: OpenPage, brief_service: str
) -> None:
    page = open_page(brief_service)
    page.sign_in_by_bar(ADMIN, PASSWORD)
    page.tab.wait_for_timeout(3_500)  # the service's clock is in another process

    reload(page)

    expect(page.tab.locator("#who strong")).to_have_text(ADMIN)
    assert (
        page.done(201, "create_permission", {"name": "after:expiry", "description": "Tried in a test."})[
            "name"
        ]
        == "after:expiry"
    )


def test_signing_out_ends_it_also_over_a_reload(alices: DocsPage) -> None:
    alices.sign_out()
    assert alices.tab.context.cookies() == []

    reload(alices)

    assert alices.bar_text() == "Not signed in"
    assert ("GET", "/v1/me") not in alices.requests[-8:]


def test_a_session_that_was_revoked_is_over_after_a_reload(
    alices: DocsPage, open_page: OpenPage, service: str
) -> None:
    session = alices.done(200, "get_me")["session"]["id"]
    other = open_page(service)
    other.sign_in_by_bar(ADMIN, PASSWORD)
    other.done(204, "end_session", session_id=session)

    reload(alices)

    expect(alices.tab.locator("#who-text")).to_have_text("Not signed in")
    assert "Signed out: " in alices.bar_text()


def test_another_tab_is_signed_in_too_and_notices_a_change(alices: DocsPage, service: str) -> None:
    second = DocsPage(alices.tab.context.new_page())
    second.open(f"{service}/docs")
    expect(second.tab.locator("#who strong")).to_have_text(ADMIN)
    alices.done(201, "create_user", {"username": "tabbed", "password": OWN})
    second.sign_out()
    second.sign_in_by_bar("tabbed", OWN)

    assert (
        alices.done(403, "create_permission", {"name": "in:between", "description": "Tried in a test."})[
            "code"
        ]
        == "csrf.failed"
    )

    expect(alices.tab.locator("#who strong")).to_have_text("tabbed")
    assert "Another page of this browser has signed in." in alices.toast_text()
    assert second.violations == []


def test_an_executed_login_shows_its_tokens_and_replaces_the_browsers_session(
    alices: DocsPage,
) -> None:
    status, tokens = alices.sign_in_by_login_operation(ADMIN, PASSWORD)

    assert (status, "access_token" in tokens) == (200, True)
    assert "this page keeps them only until it is reloaded" in alices.toast_text()
    assert alices.tab.context.cookies() == []
    reload(alices)
    assert alices.bar_text() == "Not signed in"


def test_an_executed_login_by_cookie_stays(open_page: OpenPage, service: str) -> None:
    page = open_page(service)
    page.done(200, "login", {"username": ADMIN, "password": PASSWORD}, mode="cookie")
    expect(page.tab.locator("#who strong")).to_have_text(ADMIN)

    page.done(200, "refresh")
    reload(page)

    assert page.bar_text() == f"Signed in as {ADMIN} admin"
    assert page.done(204, "logout") is None
    assert page.bar_text() == "Not signed in"


def test_a_browser_that_keeps_no_cookies_from_here_signs_in_all_the_same(
    open_page: OpenPage, service: str
) -> None:
    """As over plain HTTP from another machine: nothing may be left half signed in."""
    page = open_page(service)
    page.tab.add_init_script("Object.defineProperty(document, 'cookie', { get: () => '', set: () => {} })")
    reload(page)

    page.sign_in_by_bar(ADMIN, PASSWORD)

    assert page.bar_text() == f"Signed in as {ADMIN} admin"
    assert "Reloading this page signs you out" in page.toast_text()
    page.done(200, "get_me")
    assert page.tab.context.cookies() == []


def test_logging_out_in_the_dialog_signs_out(alices: DocsPage) -> None:
    alices.tab.get_by_role("button", name="Authorize", exact=True).click()
    alices.tab.get_by_role("button", name="Logout").first.click()

    expect(alices.tab.locator("#who-text")).to_have_text("Not signed in")
    assert alices.tab.context.cookies() == []
