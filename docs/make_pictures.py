"""Make docs/pictures/ anew: `.venv/bin/python docs/make_pictures.py` (after `make test`, which fetches a browser).

Starts the service on an empty database with the example company. Takes the page at /docs with a user who is allowed one operation and
not another; a plan as the command line prints it; and the explanation of an access that is not granted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import requests
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from docs.terminal import terminal  # noqa: E402
from tests.browser.page import DocsPage  # noqa: E402
from tests.builders import SECRET  # noqa: E402
from tests.cast import PASSWORD  # noqa: E402
from tests.servers.browser import find_browser  # noqa: E402
from tests.servers.running import ADMIN, running_service  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
DRAWN = "henrik.aas-lindqvist"
USER, OWN = "astrid.overland", "a passphrase of my own choosing"
EXPLAINED = 'get "/v1/users/$(id_of ewa.dabrowska)/access?permission=expenses:approve" | pretty'
PLAN = "policy plan --file docs/examples/cover.yaml"


def administrator(address: str) -> requests.Session:
    """A client that is signed in as the administrator."""
    login = {"username": ADMIN, "password": PASSWORD}
    tokens = requests.post(f"{address}/v1/auth/login", json=login, timeout=10).json()
    client = requests.Session()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
    return client


def id_of(client: requests.Session, address: str, username: str) -> str:
    [user] = client.get(f"{address}/v1/users?q={username}", timeout=10).json()["items"]
    found: str = user["id"]
    return found


def give_a_password(client: requests.Session, address: str) -> None:
    """As an administrator does for a new user."""
    reset = client.post(f"{address}/v1/users/{id_of(client, address, USER)}/password-reset", timeout=10)
    choice = {"token": reset.json()["token"], "new_password": OWN}
    requests.post(f"{address}/v1/auth/password-setup", json=choice, timeout=10).raise_for_status()


def explanation(client: requests.Session, address: str) -> str:
    """Why a user may not do something, and which roles would permit it."""
    user = id_of(client, address, "ewa.dabrowska")
    answer = client.get(f"{address}/v1/users/{user}/access?permission=expenses:approve", timeout=10)
    return json.dumps(answer.json(), indent=4, ensure_ascii=False)


def role_graph(client: requests.Session, address: str) -> str:
    """What a user was assigned and inherits, as the service draws it."""
    drawn = {"Accept": "image/svg+xml"}
    return client.get(f"{address}/v1/role-graph?user={DRAWN}", headers=drawn, timeout=10).text


def take(tab: Page, address: str) -> None:
    """Sign in, be refused, ask why, be answered."""
    page = DocsPage(tab)
    page.open(f"{address}/docs")
    page.sign_in_by_bar(USER, OWN)
    page.execute("create_role")
    tab.get_by_role("button", name="Why?").click()
    tab.locator(".explanation").wait_for()
    page.operation("create_role").locator(".opblock-summary-control").click()
    page.execute("get_me")
    tab.evaluate("document.querySelector('[id$=-get_me]').scrollIntoView()")
    tab.mouse.move(640, 5)
    page.screenshot(PICTURES / "docs-page.png")


def plan(database_url: str) -> str:
    """What the command prints on the database of the service."""
    settings = {
        "RBAC_DATABASE_URL": database_url,
        "RBAC_SECRET_KEY": SECRET,
        "RBAC_ISSUER": "http://rbac.test",
    }
    done = subprocess.run(  # noqa: S603 -- our own command
        [sys.executable, "-m", "rbac_api", *PLAN.split()],
        cwd=ROOT, env={**os.environ, **settings}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout


def draw(name: str, title: str, command: str, output: str) -> None:
    (PICTURES / f"{name}.svg").write_text(terminal(title, command, output), encoding="utf-8")


def main() -> None:
    browser = find_browser()
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/rbac.db"
        with running_service(url, PORT="8000") as address:  # on the port of the README
            client = administrator(address)
            draw("plan", "A plan: three things to add, one permission gained", f"rbac-api {PLAN}", plan(url))
            draw("explanation", "An access, explained", EXPLAINED, explanation(client, address))
            (PICTURES / "role-graph.svg").write_text(role_graph(client, address), encoding="utf-8")
            give_a_password(client, address)
            with sync_playwright() as playwright:
                chromium = playwright.chromium.launch(
                    executable_path=browser.executable, env={**browser.env}, args=browser.args
                )
                size = {"width": 1600, "height": 1125}
                take(chromium.new_page(viewport=size, device_scale_factor=0.8), address)
                chromium.close()


if __name__ == "__main__":
    main()
