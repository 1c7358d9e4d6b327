"""axe-core finds nothing on the page: in light and dark, wide and narrow, whatever is open on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import OpenPage
from tests.browser.page import DocsPage
from tests.cast import PASSWORD
from tests.servers.node import packaged_file
from tests.servers.running import ADMIN

RULES = "['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']"
COLOURS = "['color-contrast', 'link-in-text-block']"
RUN = "() => axe.run(document, {runOnly: %s}).then(({violations}) => violations)"

SETTLED = "() => Promise.allSettled(document.getAnimations().map((one) => one.finished)).then(() => null)"
# Every rule at each width; in the other scheme those about colours, since nothing else differs there.
LOOKS: tuple[tuple[Literal["light", "dark"], int, str], ...] = (
    ("light", 1280, RULES),
    ("dark", 1280, COLOURS),
    ("dark", 400, RULES),
    ("light", 400, COLOURS),
)


@pytest.fixture
def page(chromium: Browser, service: str) -> Iterator[DocsPage]:
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    opened = DocsPage(context.new_page())
    opened.open(f"{service}/docs")
    opened.tab.evaluate(packaged_file("axe-core/axe.min.js").read_text(encoding="utf-8"))
    yield opened
    context.close()


def faults(page: DocsPage) -> list[str]:
    """One line per violation in any look of the page: the rule, how bad it is, and the first elements it is about."""
    found = []
    for scheme, width, rules in LOOKS:
        page.tab.emulate_media(color_scheme=scheme)
        page.tab.set_viewport_size({"width": width, "height": 800})
        expect(page.tab.locator("html")).to_have_class("dark-mode" if scheme == "dark" else "")
        page.tab.evaluate(SETTLED)
        found += [f"{scheme}, {width}: {fault}" for fault in _faults_now(page, rules)]
    return found


def _faults_now(page: DocsPage, rules: str) -> list[str]:
    found: list[dict[str, Any]] = page.tab.evaluate(RUN % rules)
    return [
        f"{one['impact']} {one['id']} ({len(one['nodes'])}): "
        + " | ".join(
            str(node["html"])[:160] + " -> " + str(node["failureSummary"])[:300] for node in one["nodes"][:3]
        )
        for one in found
    ]


def test_nothing_is_wrong_before_signing_in(page: DocsPage) -> None:
    assert faults(page) == []


def test_nothing_is_wrong_with_operations_answers_and_messages(page: DocsPage) -> None:
    page.sign_in_by_bar(ADMIN, PASSWORD)
    page.done(201, "enrol_totp", {"current_password": PASSWORD})
    page.done(200, "list_users", q="ad")
    page.done(422, "create_role", {"name": "Not a slug"})
    page.done(404, "get_role", role="nowhere")
    page.prepare("list_events")
    page.prepare("login")
    page.prepare("issue_token")

    assert faults(page) == []


def test_nothing_is_wrong_with_explanations_of_denials(page: DocsPage) -> None:
    page.sign_in_by_bar(ADMIN, PASSWORD)
    page.done(200, "list_available_roles", user_id="ewa.dabrowska")
    question = {"type": "user", "id": "ewa.dabrowska"}, {"type": "payroll", "id": "1"}, {"name": "run"}
    page.done(200, "evaluate_access", dict(zip(("subject", "resource", "action"), question, strict=True)))
    page.done(200, "get_user_access", user_id="ewa.dabrowska", permission="payroll:run")
    for found in page.tab.locator(".denials details").all():
        found.locator("summary").press("Enter")
        expect(found).to_have_attribute("aria-busy", "false")
    assert page.tab.locator(".denials").count() >= 2

    assert faults(page) == []


def test_nothing_is_wrong_in_the_dialog_and_the_filter(page: DocsPage) -> None:
    page.tab.get_by_role("textbox", name="Filter operations").fill("no such operation")
    expect(page.tab.locator(".opblock")).to_have_count(0)
    assert faults(page) == []
    page.tab.get_by_role("textbox", name="Filter operations").fill("assign a role")
    page.tab.get_by_role("button", name="Authorize", exact=True).click()
    expect(page.tab.locator(".modal-ux")).to_be_visible()

    assert faults(page) == []


FOCUS = """() => {
    const one = document.activeElement;
    const style = getComputedStyle(one);
    const around = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    const name = one.labels?.[0]?.textContent || one.ariaLabel || one.textContent;
    return [name.trim().replace(/\\s+/g, " "), around || style.boxShadow !== "none"];
}"""


def walked(page: DocsPage, until: str) -> list[str]:
    """The names of what Tab leads to, up to the one that begins so; each of them shows that it has the focus."""
    names: list[str] = []
    while not names or not names[-1].startswith(until):
        page.tab.keyboard.press("Tab")
        name, shown = page.tab.evaluate(FOCUS)
        assert shown, f"the focus on {name!r} cannot be seen"
        names.append(name)
        assert len(names) < 40, names
    return names


def test_everything_is_reached_and_done_with_the_keyboard(open_page: OpenPage, service: str) -> None:
    page = open_page(service)
    keys = page.tab.keyboard
    assert walked(page, "Username") == ["Skip to the operations", "Username"]
    keys.type(ADMIN)
    assert walked(page, "Password") == ["Password"]
    keys.type(PASSWORD)
    keys.press("Enter")
    expect(page.tab.locator("#who")).to_be_focused()

    assert walked(page, "Filter operations")[0] == "Sign out"
    keys.type("get_me")
    expect(page.operation("login")).to_have_count(0)
    walked(page, "GET")
    keys.press("Enter")
    walked(page, "Execute")
    keys.press("Enter")

    assert page.answer("get_me")[0] == 200


def test_the_colours_follow_the_browser_at_once(open_page: OpenPage, service: str) -> None:
    page = open_page(service)
    ground = "() => getComputedStyle(document.body).backgroundColor + getComputedStyle(document.querySelector('.swagger-ui')).color"
    light = page.tab.evaluate(ground)

    page.tab.emulate_media(color_scheme="dark")
    expect(page.tab.locator("html")).to_have_class("dark-mode")
    dark = page.tab.evaluate(ground)
    page.tab.emulate_media(color_scheme="light")

    expect(page.tab.locator("html")).not_to_have_class("dark-mode")
    assert "rgb(28, 32, 34)" in dark
    assert page.tab.evaluate(ground) == light != dark
