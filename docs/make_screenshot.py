"""Make docs/images/swagger-ui.png anew: `.venv/bin/python docs/make_screenshot.py` (after `make test`, which installs a browser).

Starts the service on an empty database with the example company, signs one of its users in, executes an operation that she is allowed
and one that she is not, and asks why.
"""

import sys
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path

import requests
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.page import DocsPage  # noqa: E402
from tests.cast import PASSWORD  # noqa: E402
from tests.servers.browser import find_browser  # noqa: E402
from tests.servers.running import ADMIN, running_service  # noqa: E402

PICTURE = ROOT / "docs" / "images" / "swagger-ui.png"
HER, OWN = "astrid.overland", "a passphrase of my own choosing"


def service(folder: str) -> AbstractContextManager[str]:
    """On the port of the README, so that the picture shows the address a reader will see."""
    return running_service(f"sqlite:///{folder}/rbac.db", PORT="8000")


def give_her_a_password(address: str) -> None:
    """As an administrator does for somebody new."""
    tokens = requests.post(
        f"{address}/v1/auth/login", json={"username": ADMIN, "password": PASSWORD}, timeout=10
    ).json()
    signed_in = {"Authorization": f"Bearer {tokens['access_token']}"}
    [her] = requests.get(f"{address}/v1/users?q={HER}", headers=signed_in, timeout=10).json()["items"]
    reset = f"{address}/v1/users/{her['id']}/password-reset"
    token = requests.post(reset, headers=signed_in, timeout=10).json()["token"]
    choice = {"token": token, "new_password": OWN}
    requests.post(f"{address}/v1/auth/password-setup", json=choice, timeout=10).raise_for_status()


def take(tab: Page, address: str) -> None:
    """Sign in, be refused, ask why, be answered."""
    page = DocsPage(tab)
    page.open(f"{address}/docs")
    page.sign_in_by_bar(HER, OWN)
    page.execute("create_role")
    tab.get_by_role("button", name="Why?").click()
    tab.locator(".explanation").wait_for()
    page.operation("create_role").locator(".opblock-summary-control").click()
    page.execute("get_me")
    tab.evaluate("document.querySelector('[id$=-get_me]').scrollIntoView()")
    tab.mouse.move(640, 5)
    page.screenshot(PICTURE)


def main() -> None:
    browser = find_browser()
    with tempfile.TemporaryDirectory() as folder, service(folder) as address:
        give_her_a_password(address)
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=browser.executable, env={**browser.env}, args=browser.args
            )
            take(
                chromium.new_page(viewport={"width": 1600, "height": 1125}, device_scale_factor=0.8), address
            )
            chromium.close()


if __name__ == "__main__":
    main()
