"""The Swagger UI page as a person uses it: what she can press, and what she can read.

Everything is found by what the page shows, nothing by reaching into its scripts. `violations` collects whatever
must never happen on it: a breach of the Content-Security-Policy, a console error or warning, a script fault, a
request to another origin.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Locator, Page, Request, expect

CHROMIUM_ARGUMENTS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE: Final = 60_000  # ms
OWN_PATHS: Final = ("/docs", "/openapi.json")
COLLECT_POLICY_VIOLATIONS: Final = """
    window.cspViolations = [];
    addEventListener("securitypolicyviolation", (event) =>
        window.cspViolations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`));
"""


class DocsPage:
    """The page at `/docs`, driven through one browser tab."""

    def __init__(self, tab: Page) -> None:
        self.tab = tab
        self.origin = ""
        self.requests: list[tuple[str, str]] = []
        self._violations: list[str] = []
        tab.set_default_timeout(PATIENCE)
        tab.add_init_script(COLLECT_POLICY_VIOLATIONS)
        tab.on("console", self._heard)
        tab.on("pageerror", lambda error: self._violations.append(f"script fault: {error}"))
        tab.on("request", self._requested)

    @property
    def violations(self) -> list[str]:
        """Everything seen so far that must not happen; empty on a good page."""
        blocked = self.tab.evaluate("() => window.cspViolations ?? []")
        return [*self._violations, *(f"policy: {one}" for one in blocked)]

    def open(self, url: str) -> None:
        """Load the page at `url` (its whole address, `/docs` included) and wait for the operations."""
        parts = urlsplit(url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self.tab.goto(url)
        expect(self.tab.locator(".opblock").first).to_be_visible(timeout=PATIENCE)

    def sign_in_by_bar(self, username: str, password: str) -> None:
        """Fill in the form on top and wait for the answer, good or bad."""
        self.tab.get_by_role("textbox", name="Username").fill(username)
        self.tab.get_by_label("Password", exact=True).fill(password)
        self.tab.get_by_role("button", name="Sign in", exact=True).click()
        self._settled()

    def sign_in_by_login_operation(self, username: str, password: str) -> tuple[int, Any]:
        """Execute *login* like any other operation, then wait for the bar."""
        answer = self.execute("login", {"username": username, "password": password})
        if answer[0] == HTTPStatus.OK:
            expect(self.tab.locator("#who strong")).to_have_text(username, timeout=PATIENCE)
        return answer

    def sign_out(self) -> None:
        """Press *Sign out* and wait until the form is back."""
        self.tab.get_by_role("button", name="Sign out", exact=True).click()
        self._settled()

    def execute(
        self, operation_id: str, body: object = None, params: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """Fill in and execute one operation; the status and the body that the page shows for it."""
        self.start(operation_id, body, params)
        return self.answer(operation_id)

    def done(self, status: int, operation_id: str, body: object = None, **params: str) -> Any:
        """Execute an operation that has to be answered with this status; the body."""
        found, answer = self.execute(operation_id, body, params)
        assert found == status, answer
        return answer

    def start(self, operation_id: str, body: object = None, params: Mapping[str, str] | None = None) -> None:
        """Press *Execute* and return at once, so that several operations can run side by side."""
        self.prepare(operation_id, body, params)
        self.press_execute(operation_id)

    def prepare(
        self, operation_id: str, body: object = None, params: Mapping[str, str] | None = None
    ) -> None:
        """Open an operation and fill it in; answers of an earlier call are cleared away."""
        block = self.operation(operation_id)
        if "is-open" not in (block.get_attribute("class") or ""):
            block.locator(".opblock-summary-control").click()
        expect(block.locator(".execute")).to_be_visible(timeout=PATIENCE)
        if block.locator(".btn-clear").count():
            block.locator(".btn-clear").click()
        for name, value in (params or {}).items():
            self._fill_parameter(block, name, value)
        if body is not None:
            block.locator(".body-param textarea").fill(body if isinstance(body, str) else json.dumps(body))

    def press_execute(self, operation_id: str) -> None:
        """Press the *Execute* button of an operation that was prepared."""
        self.operation(operation_id).locator(".execute").click()

    def press_together(self, *operation_ids: str) -> None:
        """Press several *Execute* buttons in the same instant."""
        buttons = [f".opblock[id^='operations-'][id$='-{name}'] .execute" for name in operation_ids]
        self.tab.evaluate("buttons => buttons.forEach((one) => document.querySelector(one).click())", buttons)

    def answer(self, operation_id: str) -> tuple[int, Any]:
        """Wait for a started operation: status and body (JSON read, other text as it is, or None)."""
        live = self.operation(operation_id).locator(".live-responses-table tbody > tr.response").first
        expect(live).to_be_visible(timeout=PATIENCE)
        status = live.locator(".response-col_status").inner_text().split()[0]
        shown = live.locator(".response-col_description .highlight-code code")
        self._settled()
        return int(status), _read(shown.first.inner_text()) if shown.count() else None

    def operation(self, operation_id: str) -> Locator:
        """The block of one operation."""
        return self.tab.locator(f".opblock[id^='operations-'][id$='-{operation_id}']")

    def curl_text(self, operation_id: str) -> str:
        """The curl box of an operation that was executed."""
        return self.operation(operation_id).locator(".curl-command .curl").first.inner_text()

    def bar_text(self) -> str:
        """What the bar says: who is signed in, her roles, and the notice below if there is one."""
        notice = self.tab.locator("#notice-text")
        lines = [self.tab.locator("#who").inner_text(), notice.inner_text() if notice.is_visible() else ""]
        return " ".join(" ".join(lines).split())

    def toast_text(self) -> str:
        """All messages on show, oldest first."""
        return "\n".join(self.tab.locator("#toasts .toast").all_inner_texts())

    def screenshot(self, path: Path | str) -> None:
        """Write what the window shows to a PNG file."""
        self.tab.screenshot(path=path)

    def _settled(self) -> None:
        """Wait until no request of the page is under way and the bar has caught up."""
        self.tab.wait_for_load_state("networkidle")
        expect(self.tab.locator("#bar")).not_to_have_attribute("aria-busy", "true", timeout=PATIENCE)

    @staticmethod
    def _fill_parameter(block: Locator, name: str, value: str) -> None:
        field = block.locator(f"tr[data-param-name='{name}']").locator("input, select, textarea").first
        if field.evaluate("element => element.tagName") == "SELECT":
            field.select_option(value)
        else:
            field.fill(value)

    def _heard(self, message: ConsoleMessage) -> None:
        """Chromium reports every 4xx answer as an error; the API's are not the page's fault, a lost file is."""
        path = urlsplit(message.location["url"]).path
        refusal = message.text.startswith("Failed to load resource") and not path.startswith(OWN_PATHS)
        if message.type in {"error", "warning"} and not refusal:
            self._violations.append(f"console {message.type}: {message.text}")

    def _requested(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in {"http", "https", "ws", "wss"}:
            self.requests.append((request.method, parts.path))
            if f"{parts.scheme}://{parts.netloc}" != self.origin:
                self._violations.append(f"request to {parts.netloc}")


def _read(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
