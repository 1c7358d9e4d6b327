"""A real browser, a running service, and pages that are held to their promises when the test is over."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.browser.page import PATIENCE, DocsPage
from tests.cast import PASSWORD
from tests.conftest import Stages
from tests.servers.browser import find_browser
from tests.servers.running import running_service

OpenPage = Callable[[str], DocsPage]
STORED = """async () => ({
    local: localStorage.length, session: sessionStorage.length, databases: (await indexedDB.databases()).length,
    caches: (await caches.keys()).length, cookie: document.cookie,
})"""
NOTHING = {"local": 0, "session": 0, "databases": 0, "caches": 0, "cookie": ""}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One browser for all tests; every page gets a profile of its own, and a busy machine all the time it needs."""
    expect.set_options(timeout=PATIENCE)
    found = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.executable, env={**found.env}, args=found.args
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Browser) -> Iterator[OpenPage]:
    """Opens Swagger UI at an address. Afterwards no page may have stored, leaked or broken anything."""
    pages = []

    def opened(address: str) -> DocsPage:
        page = DocsPage(chromium.new_context(viewport={"width": 1280, "height": 900}).new_page())
        page.open(f"{address}/docs")
        pages.append(page)
        return page

    yield opened
    kept = [page.tab.evaluate(STORED) for page in pages]
    violations = [violation for page in pages for violation in page.violations]
    for page in pages:
        page.tab.context.close()
    assert violations == []
    assert kept == [NOTHING] * len(pages)


@pytest.fixture(scope="module")
def service(stages: Stages) -> Iterator[str]:
    """One running service for everything that leaves no traces another test would mind."""
    with running_service(stages.empty_database("sqlite", "browsed")) as address:
        yield address


@pytest.fixture
def alices(open_page: OpenPage, service: str) -> DocsPage:
    """Swagger UI with Alice signed in."""
    page = open_page(service)
    page.sign_in_by_bar("alice", PASSWORD)
    return page
