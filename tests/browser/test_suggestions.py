"""Tasks at the top, and names suggested while one types: nobody copies an id by hand."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.page import DocsPage

MOST = 8  # keystrokes and clicks beyond the names


class Hand:
    """Counts what the user presses; names are typed for free."""

    def __init__(self, page: DocsPage) -> None:
        self.page, self.pressed = page, 0

    def click(self, name: str) -> None:
        self.page.tab.get_by_role("button", name=name, exact=True).click()
        self.pressed += 1

    def press(self, key: str) -> None:
        self.page.tab.keyboard.press(key)
        self.pressed += 1

    def name(self, text: str) -> None:
        self.page.tab.keyboard.type(text)
        expect(self.page.tab.locator("#suggestions")).to_be_visible()


def suggested(page: DocsPage) -> list[str]:
    box = page.tab.locator("#suggestions")
    expect(box).to_be_visible()
    return box.locator("strong").all_inner_texts()


def test_a_role_is_given_to_a_user_found_by_surname(alices: DocsPage) -> None:
    hand, block = Hand(alices), alices.operation("assign_role")

    hand.click("Give a role")
    expect(block.locator("tr[data-param-name='user_id'] input")).to_be_focused()
    hand.name("dabrowska")
    hand.press("ArrowDown")
    hand.press("Enter")
    hand.press("Tab")
    hand.name("expense-a")
    hand.press("ArrowDown")
    hand.press("Enter")
    block.locator(".execute").click()
    hand.pressed += 1

    status, answer = alices.answer("assign_role")
    assert (status, answer["role"]) == (201, "expense-approver")
    assert block.locator("tr[data-param-name='user_id'] input").input_value() == "ewa.dabrowska"
    assert hand.pressed <= MOST
    alices.done(204, "revoke_role", user_id="ewa.dabrowska", role="expense-approver")


def test_a_session_is_found_by_the_name_of_its_user(alices: DocsPage) -> None:
    alices.tab.get_by_role("button", name="End a session").click()
    expect(alices.operation("end_session").locator("tr[data-param-name] input")).to_be_focused()
    alices.tab.keyboard.type("alice")

    ids = suggested(alices)

    assert all(re.fullmatch(r"[0-9a-f-]{36}", one) for one in ids)
    assert "alice, 127.0.0.1, since" in alices.tab.locator("#suggestions").inner_text()
    alices.tab.keyboard.press("Escape")
    expect(alices.tab.locator("#suggestions")).to_be_hidden()


def test_a_name_in_a_body_is_suggested_between_its_quotes(alices: DocsPage) -> None:
    body = '{"name": "looker", "permissions": ["audit:read", ""], "description": ""}'
    alices.prepare("create_role", body)
    text = alices.operation("create_role").locator(".body-param textarea")
    at = body.index('""') + 1
    text.evaluate("(field, at) => { field.focus(); field.setSelectionRange(at, at); }", at)

    alices.tab.keyboard.type("roles:r")
    assert suggested(alices) == ["roles:read"]
    alices.tab.locator("#suggestions li").click()

    assert json.loads(text.input_value())["permissions"] == ["audit:read", "roles:read"]
    expect(text).to_be_focused()
    text.evaluate("field => field.setSelectionRange(field.value.length - 2, field.value.length - 2)")
    alices.tab.keyboard.type("roles")
    alices.tab.wait_for_timeout(500)
    expect(alices.tab.locator("#suggestions")).to_be_hidden()  # a description is free text


def test_the_list_is_read_by_a_screen_reader_and_moved_through_by_keys(alices: DocsPage) -> None:
    alices.prepare("get_role")
    field = alices.operation("get_role").locator("tr[data-param-name='role'] input")
    field.fill("a")
    names = suggested(alices)

    alices.tab.keyboard.press("ArrowUp")

    last = alices.tab.get_by_role("option", name=re.compile(f"^{names[-1]}")).last
    assert last.get_attribute("aria-selected") == "true"
    assert field.get_attribute("aria-activedescendant") == last.get_attribute("id")
    assert (field.get_attribute("role"), field.get_attribute("aria-expanded")) == ("combobox", "true")
    alices.tab.keyboard.press("ArrowDown")
    alices.tab.keyboard.press("Enter")
    assert field.input_value() == names[0]
    assert field.get_attribute("aria-expanded") == "false"


@pytest.mark.parametrize("name", ["Give a role", "Why was a request refused?"])
def test_without_a_session_nothing_is_asked(open_page: OpenPage, service: str, name: str) -> None:
    page = open_page(service)
    page.requests.clear()

    page.tab.get_by_role("button", name=name).click()
    expect(page.tab.locator("tr[data-param-name] input").first).to_be_focused()
    page.tab.keyboard.type("a")
    page.tab.wait_for_timeout(500)

    expect(page.tab.locator("#suggestions")).to_be_hidden()
    assert [path for _, path in page.requests if path.startswith("/v1/")] == []
