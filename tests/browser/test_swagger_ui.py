"""Swagger UI in a real browser: what an administrator, an auditor and a new user do with it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.page import DocsPage
from tests.capabilities.second_factor.device import Device
from tests.cast import PASSWORD
from tests.conftest import Stages
from tests.servers.running import ADMIN, running_service

HER = "yichun.lin"  # a buyer of the example company
OWN = "a passphrase of my own choosing"
HOSTILE = "<img src=/docs/nothing onerror=\"document.title='owned'\"><script>document.title='owned'</script>"

# Within the same frame: before Swagger UI has resolved the operation's references.
OPEN_AND_EXECUTE = """async (name) => {
    const block = document.querySelector(`.opblock[id^='operations-'][id$='-${name}']`);
    block.querySelector(".opblock-summary-control").click();
    while (!block.querySelector(".execute")) await new Promise((done) => setTimeout(done, 0));
    block.querySelector(".execute").click();
}"""
# An operation as the page resolves it, and as Swagger UI does without the page's plugins.
RESOLVED = """async (path) => {
    const { plugins } = await import(`${location.origin}/docs/assets/plugins.js`);
    const spec = await (await fetch("/openapi.json")).json();
    const plain = SwaggerUIBundle({ spec: { openapi: "3.1.0" }, domNode: document.createElement("div") });
    const own = plugins.find((one) => one.name === "resolvedOnly")();
    const given = [spec, path, { baseDoc: `${location.origin}/openapi.json` }];
    return [await own.fn.resolveSubtree(...given), await plain.fn.resolveSubtree(...given)];
}"""


@pytest.fixture(scope="module")
def hasty_service(stages: Stages) -> Iterator[str]:
    """A service whose access tokens live for five seconds: long enough for a slow machine to use one."""
    hasty = {"RBAC_ACCESS_TOKEN_SECONDS": "5", "RBAC_RECENT_SIGNIN_SECONDS": "1"}
    with running_service(stages.empty_database("sqlite", "hasty"), **hasty) as found:
        yield found


def test_signing_in_by_the_bar_says_who_is_signed_in(open_page: OpenPage, service: str) -> None:
    page = open_page(service)
    assert page.bar_text() == "Not signed in"

    page.sign_in_by_bar(ADMIN, PASSWORD)

    assert page.bar_text() == f"Signed in as {ADMIN} admin"
    assert page.done(200, "get_me")["username"] == ADMIN


def test_a_wrong_password_is_explained_and_not_kept_in_the_form(open_page: OpenPage, service: str) -> None:
    page = open_page(service)

    page.sign_in_by_bar("nobody", "not the right one")

    assert "Sign-in refused" in page.toast_text()
    assert page.tab.get_by_label("Password", exact=True).input_value() == ""
    assert page.bar_text() == "Not signed in"


def test_somebody_with_a_second_factor_is_asked_for_its_code(open_page: OpenPage, service: str) -> None:
    page = open_page(service)
    page.sign_in_by_bar(ADMIN, PASSWORD)
    page.done(201, "create_user", {"username": "careful", "password": OWN})
    page.sign_out()
    page.sign_in_by_bar("careful", OWN)
    page.done(204, "change_my_password", {"current_password": OWN, "new_password": f"{OWN}, mine"})
    device = Device(page.done(201, "enrol_totp", {"current_password": f"{OWN}, mine"})["secret"])
    page.done(200, "confirm_totp", {"code": device.code()})
    page.sign_out()
    code = page.tab.get_by_label("Code", exact=True)
    expect(code).to_be_hidden()

    page.sign_in_by_bar("careful", f"{OWN}, mine")
    assert "Enter your second factor" in page.toast_text()
    code.fill(device.code(1))
    page.tab.get_by_role("button", name="Sign in", exact=True).click()

    expect(page.tab.locator("#who strong")).to_have_text("careful")
    assert page.done(200, "get_me")["session"]["amr"] == ["pwd", "otp"]


def test_signing_out_ends_the_session_for_good(alices: DocsPage) -> None:
    session = alices.done(200, "get_me")["session"]["id"]

    alices.sign_out()

    assert alices.bar_text() == "Not signed in"
    assert alices.done(401, "get_me")["code"] == "token.missing"
    alices.sign_in_by_bar(ADMIN, PASSWORD)
    assert alices.done(200, "get_session", session_id=session)["end_reason"] == "logout"


def test_an_expired_token_is_refreshed_once_and_silently(open_page: OpenPage, hasty_service: str) -> None:
    page = open_page(hasty_service)
    page.sign_in_by_bar(ADMIN, PASSWORD)
    for operation in ("list_roles", "list_permissions"):
        page.prepare(operation)
    before = page.requests.count(("POST", "/v1/auth/refresh"))
    page.tab.wait_for_timeout(5_500)  # the service's clock is in another process: time really has to pass

    page.press_together("list_roles", "list_permissions")

    assert [page.answer(name)[0] for name in ("list_roles", "list_permissions")] == [200, 200]
    assert page.requests.count(("POST", "/v1/auth/refresh")) == before + 1
    assert page.toast_text() == ""
    assert page.bar_text() == f"Signed in as {ADMIN} admin"


def test_a_sign_in_that_is_too_old_is_explained_and_leads_to_the_form(
    open_page: OpenPage, hasty_service: str
) -> None:
    page = open_page(hasty_service)
    page.sign_in_by_bar(ADMIN, PASSWORD)
    page.tab.wait_for_timeout(1_500)

    page.done(401, "enrol_totp")
    assert "A more recent sign-in is needed" in page.toast_text()
    page.tab.get_by_role("button", name="Sign out to sign in again").click()

    expect(page.tab.get_by_role("textbox", name="Username")).to_be_focused()
    assert page.bar_text() == "Not signed in"


def test_what_is_refused_as_invalid_or_conflicting_is_told_without_scrolling(alices: DocsPage) -> None:
    alices.done(422, "create_role", {"name": "Not a slug"})
    assert "/name: " in alices.toast_text()
    alices.done(409, "create_role", {"name": "admin"})
    assert "The role already exists" in alices.toast_text()
    assert "/name: " not in alices.toast_text()

    alices.done(404, "get_role", role="nowhere")

    assert "role.not_found" in alices.toast_text()


def test_what_the_page_fills_in_for_a_new_user_and_a_new_permission_works(alices: DocsPage) -> None:
    assert alices.done(201, "create_user")["username"] == "nora.lindqvist"
    assert alices.done(201, "create_permission")["name"] == "reports:publish"


def test_execute_pressed_right_after_opening_an_operation_is_answered(alices: DocsPage) -> None:
    alices.tab.evaluate(OPEN_AND_EXECUTE, "get_me")

    assert alices.answer("get_me")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        ["paths", "/v1/roles/{role}", "patch"],
        ["paths", "/v1/policy/apply", "post"],
        ["components", "securitySchemes"],
    ],
    ids=lambda path: path[1],
)
def test_an_operation_is_resolved_as_swagger_ui_would(
    open_page: OpenPage, service: str, path: list[str]
) -> None:
    own, expected = open_page(service).tab.evaluate(RESOLVED, path)

    assert own == {"spec": expected["spec"], "errors": expected["errors"]}
    assert own["spec"]


def test_a_description_with_markup_stays_text(alices: DocsPage) -> None:
    alices.done(201, "create_role", {"name": "hostile", "description": HOSTILE})
    alices.done(200, "get_role", role="hostile")

    alices.tab.wait_for_load_state("networkidle")

    assert ("GET", "/docs/nothing") not in alices.requests
    expect(alices.tab).to_have_title("rbac-api")
    expect(alices.operation("get_role").locator(".live-responses-table")).to_contain_text(
        "<img src=/docs/nothing"
    )


def test_secrets_are_hidden_from_the_curl_box(open_page: OpenPage, service: str) -> None:
    page = open_page(service)
    page.sign_in_by_login_operation(ADMIN, PASSWORD)
    page.done(200, "get_me")

    assert PASSWORD not in page.curl_text("login")
    assert "Bearer <hidden>" in page.curl_text("get_me")


def test_a_missing_etag_is_handed_over_by_the_page(alices: DocsPage) -> None:
    alices.done(201, "create_role", {"name": "etagged"})

    alices.done(412, "update_role", {"description": "changed"}, role="etagged", **{"If-Match": '"stale"'})

    assert "The resource has changed since you read it" in alices.toast_text()
    etag = re.search(r'"\d+-[0-9a-f]{20}"', alices.toast_text())
    assert etag
    alices.done(200, "update_role", {"description": "changed"}, role="etagged", **{"If-Match": etag[0]})


def test_the_trail_is_downloaded_as_csv(alices: DocsPage) -> None:
    alices.prepare("list_events", params={"action": "signin.succeeded"})
    block = alices.operation("list_events")
    block.locator(".responses-wrapper select.content-type").first.select_option("text/csv")
    alices.press_execute("list_events")

    with alices.tab.expect_download() as download:
        block.get_by_role("link", name="Download file").click()

    assert download.value.path().read_text().startswith("seq,at,actor_type,")


def test_a_temporary_password_has_to_be_changed_first(
    alices: DocsPage, open_page: OpenPage, service: str
) -> None:
    alices.done(201, "create_user", {"username": "newcomer", "password": "chosen by somebody else"})
    page = open_page(service)

    page.sign_in_by_bar("newcomer", "chosen by somebody else")
    assert "temporary password" in page.bar_text()
    page.done(403, "list_my_sessions")
    page.done(204, "change_my_password", {"current_password": "chosen by somebody else", "new_password": OWN})

    page.done(200, "list_my_sessions")
    assert page.bar_text() == "Signed in as newcomer no role"
