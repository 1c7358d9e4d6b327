"""The whole story in Swagger UI, in a real browser: what a stranger with the README does first."""

from collections.abc import Iterator

import pytest

from tests.browser.conftest import OpenPage
from tests.browser.page import DocsPage
from tests.cast import PASSWORD
from tests.servers.running import ADMIN, running_service

HER = "yichun.lin"  # a buyer of the example company
OWN = "a passphrase of my own choosing"


@pytest.fixture
def address(empty_url: str) -> Iterator[str]:
    """A service of the test's own, on each engine in turn."""
    with running_service(empty_url) as found:
        yield found


def prepare_her(alice: DocsPage, her_id: str) -> None:
    """Alice makes a role, gives it to her, and resets her password; she spends the setup token on one of her own."""
    alice.done(201, "create_role", {"name": "people-reader", "permissions": ["users:read"]})
    alice.done(201, "assign_role", {"reason": "stands in"}, user_id=her_id, role="people-reader")
    setup = alice.done(201, "reset_password", user_id=her_id)
    alice.done(204, "set_password", {"token": setup["token"], "new_password": OWN})


def test_a_role_is_made_given_used_and_taken_back(open_page: OpenPage, address: str) -> None:
    alice, hers = open_page(address), open_page(address)
    alice.sign_in_by_login_operation(ADMIN, PASSWORD)
    [her] = alice.done(200, "list_users", q=HER)["items"]
    prepare_her(alice, her["id"])

    hers.sign_in_by_bar(HER, OWN)
    assert hers.bar_text() == f"Signed in as {HER} buyer employee people-reader"
    hers.done(200, "list_users")
    assert hers.done(403, "create_user", {"username": "x"})["required"] == "users:create"
    assert "You lack users:create" in hers.toast_text()

    [session] = alice.done(200, "list_sessions", user=HER)["items"]
    alice.done(204, "end_session", session_id=session["id"])
    assert hers.done(401, "list_users")["code"] == "token.revoked"
    assert hers.bar_text().startswith("Not signed in Signed out: The session of this token has ended.")
    assert trail_since(alice, "role.created") == [
        "role.created", "assignment.created", "password.reset", "password.set", "signin.succeeded", "access.refused",
        "session.ended", "incident.opened",
    ]  # fmt: skip


def trail_since(page: DocsPage, action: str) -> list[str]:
    """What the trail says happened, beginning with an action; a refresh under way may add to it at any time."""
    events = [event["action"] for event in page.done(200, "list_events")["items"]]
    return [event for event in events[events.index(action) :: -1] if event != "token.rotated"]
