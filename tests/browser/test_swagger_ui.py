"""Swagger UI in a real browser: what an administrator, an auditor and a new user do with it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage
from tests.browser.page import DocsPage
from tests.cast import PASSWORD
from tests.conftest import Stages
from tests.servers.running import ADMIN, running_service

HER = "yichun.lin"  # a buyer of the example company
OWN = "a passphrase of my own choosing"
HOSTILE = "<img src=/docs/nothing onerror=\"document.title='owned'\"><script>document.title='owned'</script>"


@pytest.fixture
def address(empty_url: str) -> Iterator[str]:
    """A service of the test's own, on each engine in turn."""
    with running_service(empty_url) as found:
        yield found


@pytest.fixture(scope="module")
def hasty_service(stages: Stages) -> Iterator[str]:
    """A service whose access tokens live for three seconds."""
    with running_service(stages.empty_database("sqlite", "hasty"), RBAC_ACCESS_TOKEN_SECONDS="3") as found:
        yield found


def done(page: DocsPage, status: int, operation: str, body: object = None, **params: str) -> Any:
    """Execute an operation that has to be answered with this status."""
    found, answer = page.execute(operation, body, params)
    assert found == status, answer
    return answer


def prepare_her(alice: DocsPage, her_id: str) -> None:
    """Alice makes a role, gives it to her, and resets her password; she spends the setup token on one of her own."""
    done(alice, 201, "create_role", {"name": "people-reader", "permissions": ["users:read"]})
    done(alice, 201, "assign_role", {"reason": "stands in"}, user_id=her_id, role="people-reader")
    setup = done(alice, 201, "reset_password", user_id=her_id)
    done(alice, 204, "set_password", {"token": setup["token"], "new_password": OWN})


def test_a_role_is_made_given_used_and_taken_back(open_page: OpenPage, address: str) -> None:
    alice, hers = open_page(address), open_page(address)
    alice.sign_in_by_login_operation(ADMIN, PASSWORD)
    [her] = done(alice, 200, "list_users", q=HER)["items"]
    prepare_her(alice, her["id"])

    hers.sign_in_by_bar(HER, OWN)
    assert hers.bar_text() == f"Signed in as {HER} buyer employee people-reader"
    done(hers, 200, "list_users")
    assert done(hers, 403, "create_user", {"username": "x"})["required"] == "users:create"
    assert "You lack users:create" in hers.toast_text()

    [session] = done(alice, 200, "list_sessions", user=HER)["items"]
    done(alice, 204, "end_session", session_id=session["id"])
    assert done(hers, 401, "list_users")["code"] == "token.revoked"
    assert hers.bar_text().startswith("Not signed in Signed out: The session of this token has ended.")
    assert trail_since(alice, "role.created") == [
        "role.created", "assignment.created", "password.reset", "password.set", "signin.succeeded", "access.refused",
        "session.ended",
    ]  # fmt: skip


def trail_since(page: DocsPage, action: str) -> list[str]:
    """What the trail says happened, beginning with an action; a refresh under way may add to it at any time."""
    events = [event["action"] for event in done(page, 200, "list_events")["items"]]
    return [event for event in events[events.index(action) :: -1] if event != "token.rotated"]


def test_signing_in_by_the_bar_says_who_is_signed_in(open_page: OpenPage, service: str) -> None:
    page = open_page(service)
    assert page.bar_text() == "Not signed in"

    page.sign_in_by_bar(ADMIN, PASSWORD)

    assert page.bar_text() == f"Signed in as {ADMIN} admin"
    assert done(page, 200, "get_me")["username"] == ADMIN


def test_a_wrong_password_is_explained_and_not_kept_in_the_form(open_page: OpenPage, service: str) -> None:
    page = open_page(service)

    page.sign_in_by_bar("nobody", "not the right one")

    assert "Sign-in refused" in page.toast_text()
    assert page.tab.get_by_label("Password", exact=True).input_value() == ""
    assert page.bar_text() == "Not signed in"


def test_signing_out_ends_the_session_for_good(alices: DocsPage) -> None:
    session = done(alices, 200, "get_me")["session"]["id"]

    alices.sign_out()

    assert alices.bar_text() == "Not signed in"
    assert done(alices, 401, "get_me")["code"] == "token.missing"
    alices.sign_in_by_bar(ADMIN, PASSWORD)
    assert done(alices, 200, "get_session", session_id=session)["end_reason"] == "logout"


def test_an_expired_token_is_refreshed_once_and_silently(open_page: OpenPage, hasty_service: str) -> None:
    page = open_page(hasty_service)
    page.sign_in_by_bar(ADMIN, PASSWORD)
    for operation in ("list_roles", "list_permissions"):
        page.prepare(operation)
    page.tab.wait_for_timeout(3_500)  # the service's clock is in another process: time really has to pass

    page.press_execute("list_roles")
    page.press_execute("list_permissions")

    assert [page.answer(name)[0] for name in ("list_roles", "list_permissions")] == [200, 200]
    assert page.requests.count(("POST", "/v1/auth/refresh")) == 1
    assert page.toast_text() == ""
    assert page.bar_text() == f"Signed in as {ADMIN} admin"


def test_a_description_with_markup_stays_text(alices: DocsPage) -> None:
    done(alices, 201, "create_role", {"name": "hostile", "description": HOSTILE})
    done(alices, 200, "get_role", role="hostile")

    alices.tab.wait_for_load_state("networkidle")

    assert ("GET", "/docs/nothing") not in alices.requests
    expect(alices.tab).to_have_title("rbac-api")
    expect(alices.operation("get_role").locator(".live-responses-table")).to_contain_text(
        "<img src=/docs/nothing"
    )


def test_secrets_are_hidden_from_the_curl_box(open_page: OpenPage, service: str) -> None:
    page = open_page(service)
    page.sign_in_by_login_operation(ADMIN, PASSWORD)
    done(page, 200, "get_me")

    assert PASSWORD not in page.curl_text("login")
    assert "Bearer <hidden>" in page.curl_text("get_me")


def test_a_missing_etag_is_handed_over_by_the_page(alices: DocsPage) -> None:
    done(alices, 201, "create_role", {"name": "etagged"})

    done(alices, 412, "update_role", {"description": "changed"}, role="etagged", **{"If-Match": '"stale"'})

    assert "It has changed since you read it" in alices.toast_text()
    etag = re.search(r'"\d+-[0-9a-f]{20}"', alices.toast_text())
    assert etag
    done(alices, 200, "update_role", {"description": "changed"}, role="etagged", **{"If-Match": etag[0]})


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
    done(alices, 201, "create_user", {"username": "newcomer", "password": "chosen by somebody else"})
    page = open_page(service)

    page.sign_in_by_bar("newcomer", "chosen by somebody else")
    assert "Somebody else chose this password" in page.bar_text()
    done(page, 403, "list_my_sessions")
    done(
        page, 204, "change_my_password", {"current_password": "chosen by somebody else", "new_password": OWN}
    )

    done(page, 200, "list_my_sessions")
    assert page.bar_text() == "Signed in as newcomer no role"
