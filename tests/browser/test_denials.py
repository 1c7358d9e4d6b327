"""Each denial in an answer (`may: false`, `decision: false`, a refused step) has a question that opens its explanation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from playwright.sync_api import APIRequestContext, Browser, Locator, expect

from tests.browser.conftest import OpenPage
from tests.browser.page import DocsPage
from tests.cast import PASSWORD
from tests.servers.running import ADMIN

DOCUMENT = json.loads((Path(__file__).parents[2] / "openapi" / "openapi.json").read_text(encoding="utf-8"))
HELPER, SECRET = "henny.helper", "the pale horse eats no salad"
RIGHTS = [
    "users:read",
    "roles:read",
    "assignments:create",
    "access:evaluate",
    "policy:plan",
    "service-accounts:read",
]
STRANGE = '<img src="x">'
DENYING = {"may", "decision"}
# What else is true or false in an answer, and says nothing about what somebody may do.
OTHERS = {
    "active",
    "current",
    "direct",
    "domains_held",
    "dry_run",
    "ok",
    "password_change_required",
    "ready",
    "requires_mfa",
    "second_factor",
    "system",
    "total_is_minimum",
    "truncated",
}
REFUSED_AS_A_WHOLE = {"apply_policy", "revert_policy"}  # answer 403 or 409 where a step is refused


class Scene(NamedTuple):
    """What is executed, and the first question with a part of its explanation."""

    question: str
    told: str
    params: Mapping[str, str] = {}
    body: object = None


def asked(user: str, permission: str = "payroll:run", kind: str = "user") -> dict[str, Any]:
    resource, verb = permission.split(":")
    return {
        "subject": {"type": kind, "id": user},
        "action": {"name": verb},
        "resource": {"type": resource, "id": "1"},
    }


PAYROLL = "no effective role grants payroll:run"
EWA = {"user_id": "ewa.dabrowska"}
SCENES = {
    "list_available_roles": Scene("Why can I not assign accountant?", "no effective role grants", EWA),
    "get_user_access": Scene(
        "Why does ewa.dabrowska not have payroll:run?", PAYROLL, {**EWA, "permission": "payroll:run"}
    ),
    "get_service_account_access": Scene(
        "Why does robot not have payroll:run?", PAYROLL, {"account_id": "robot", "permission": "payroll:run"}
    ),
    "get_my_access": Scene("Why do I not have payroll:run?", PAYROLL, {"permission": "payroll:run"}),
    "get_decision": Scene(f"Why was {HELPER} refused keys:read?", "no effective role grants keys:read"),
    "evaluate_access": Scene(
        "Why does ewa.dabrowska not have payroll:run?", PAYROLL, body=asked("ewa.dabrowska")
    ),
    "evaluate_accesses": Scene(
        f"Why does {STRANGE} not have payroll:run?",
        "No role of the subject grants this.",
        body={"evaluations": [asked(STRANGE), {"action": {}}, asked("ewa.dabrowska")]},
    ),
    "plan_policy": Scene(
        "Why would this step be refused: role.create payer",
        "You need the permission roles:create",
        body={"roles": [{"name": "payer", "permissions": ["payments:release"]}]},
    ),
}


def flags(schema: Mapping[str, Any], seen: frozenset[str] = frozenset()) -> Iterator[str]:
    """The names of what is true or false in an answer, and `refusals`."""
    reference = schema.get("$ref", "")
    if reference in seen:
        return
    if reference:
        schema = DOCUMENT["components"]["schemas"][reference.rpartition("/")[2]]
    for name, member in schema.get("properties", {}).items():
        if "boolean" in (member.get("type"), *(member.get("type") or ())) or name == "refusals":
            yield name
    inner = [*schema.get("properties", {}).values(), schema.get("items"), schema.get("additionalProperties")]
    for one in (*inner, *schema.get("oneOf", ()), *schema.get("anyOf", ()), *schema.get("allOf", ())):
        if isinstance(one, dict):
            yield from flags(one, seen | {reference})


def answered(operation: Mapping[str, Any]) -> set[str]:
    bodies = [
        content["schema"]
        for status, answer in operation["responses"].items()
        if status.startswith("2")
        for content in answer.get("content", {}).values()
        if "schema" in content
    ]
    return {name for body in bodies for name in flags(body)}


def test_every_answer_that_can_deny_has_a_scene_here() -> None:
    operations = (one for item in DOCUMENT["paths"].values() for one in item.values() if "responses" in one)
    found = {one["operationId"]: answered(one) for one in operations}

    assert {name for names in found.values() for name in names} - {"refusals"} == DENYING | OTHERS
    denying = {name for name, names in found.items() if names & {*DENYING, "refusals"}}
    assert denying == SCENES.keys() | REFUSED_AS_A_WHOLE


class Made(NamedTuple):
    """A user who may ask much and give little, and a request of theirs that was refused."""

    username: str
    decision: str


def spoken(api: APIRequestContext, token: str, path: str, data: object = None, method: str = "POST") -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    answer = api.fetch(path, method=method, data=data, headers=headers)
    return answer.json() if answer.body() else None


def signed_in(api: APIRequestContext, username: str, password: str) -> str:
    body = {"username": username, "password": password}
    return str(api.post("/v1/auth/login", data=body).json()["access_token"])


@pytest.fixture(scope="module")
def helper(chromium: Browser, service: str) -> Iterator[Made]:
    context = chromium.new_context(base_url=service)
    api = context.request
    alice = signed_in(api, ADMIN, PASSWORD)
    spoken(api, alice, "/v1/roles", {"name": "helper", "permissions": RIGHTS})
    spoken(api, alice, "/v1/users", {"username": HELPER, "password": "chosen by somebody else"})
    spoken(api, alice, "/v1/service-accounts", {"name": "robot"})
    spoken(api, alice, f"/v1/users/{HELPER}/roles/helper", method="PUT")
    token = signed_in(api, HELPER, "chosen by somebody else")
    change = {"current_password": "chosen by somebody else", "new_password": SECRET}
    spoken(api, token, "/v1/me/password", change)
    token = signed_in(api, HELPER, SECRET)
    yield Made(HELPER, spoken(api, token, "/v1/keys", method="GET")["decision_id"])
    context.close()


@pytest.fixture
def page(open_page: OpenPage, service: str, helper: Made) -> DocsPage:
    """Swagger UI with the helper signed in."""
    opened = open_page(service)
    opened.sign_in_by_bar(helper.username, SECRET)
    return opened


def questions(page: DocsPage, operation: str) -> Locator:
    return page.operation(operation).locator(".denials summary")


def explained(page: DocsPage, operation: str, place: int = 0) -> Locator:
    """The explanation, opened with the keyboard."""
    one = page.operation(operation).locator(".denials details").nth(place)
    one.locator("summary").press("Enter")
    expect(one).to_have_attribute("aria-busy", "false")
    return one.locator(".explanation")


def number_of_denials(answer: object) -> int:
    return json.dumps(answer).count('"may": false') + json.dumps(answer).count('"decision": false')


@pytest.mark.parametrize("operation", SCENES)
def test_each_denial_opens_its_explanation_in_place(page: DocsPage, helper: Made, operation: str) -> None:
    scene = SCENES[operation]
    params = {"decision_id": helper.decision} if operation == "get_decision" else scene.params

    answer = page.done(200, operation, scene.body, **params)

    shown = questions(page, operation)
    assert shown.count() == number_of_denials(answer) + len(answer.get("refusals", ())) > 0
    expect(shown.first).to_contain_text(scene.question)
    expect(explained(page, operation)).to_contain_text(scene.told)
    expect(shown.first).to_be_focused()


def test_what_is_allowed_has_no_question(page: DocsPage) -> None:
    answer = page.done(200, "get_my_access", permission="users:read")

    assert answer["decision"] is True
    assert questions(page, "get_my_access").count() == 0


def test_a_role_that_hands_out_too_much_says_why_the_caller_lacks_it(page: DocsPage) -> None:
    answer = page.done(200, "list_available_roles", **EWA)
    [at] = [
        n for n, one in enumerate(i for i in answer["items"] if not i["may"]) if one["role"] == "accountant"
    ]

    told = explained(page, "list_available_roles", at).inner_text()

    [item] = [one for one in answer["items"] if one["role"] == "accountant"]
    assert item["because"][0]["detail"] in told
    for permission in item["missing"][:5]:
        assert f"no effective role grants {permission}" in told


def test_the_explanation_of_an_older_answer_does_not_stay(page: DocsPage) -> None:
    page.done(200, "get_my_access", permission="payroll:run")
    explained(page, "get_my_access")

    page.tab.locator("tr[data-param-name='permission'] input").first.fill("keys:read")
    page.press_execute("get_my_access")

    expect(questions(page, "get_my_access")).to_have_text("Why do I not have keys:read?")
    assert page.operation("get_my_access").locator("details[open]").count() == 0
    expect(explained(page, "get_my_access")).to_contain_text("keys:read")


def test_names_in_questions_are_text_and_every_denied_evaluation_has_one(page: DocsPage) -> None:
    page.done(200, "evaluate_accesses", SCENES["evaluate_accesses"].body)

    found = questions(page, "evaluate_accesses").all_inner_texts()

    assert found == [
        f"Why does {STRANGE} not have payroll:run?",
        "Why was evaluation 2 denied?",
        "Why does ewa.dabrowska not have payroll:run?",
    ]
    expect(explained(page, "evaluate_accesses", 0)).to_contain_text("There is no user")
    expect(explained(page, "evaluate_accesses", 1)).to_contain_text("The member subject is missing.")
    assert page.tab.locator(".denials img").count() == 0


def test_a_denied_service_account_is_explained_too(page: DocsPage) -> None:
    page.done(200, "evaluate_access", asked("robot", kind="service-account"))

    expect(questions(page, "evaluate_access")).to_have_text("Why does robot not have payroll:run?")


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_of_it_stands_outside_the_window(page: DocsPage, width: int) -> None:
    page.tab.set_viewport_size({"width": width, "height": 800})
    page.done(200, "list_available_roles", **EWA)
    explained(page, "list_available_roles")

    boxes = (
        page.operation("list_available_roles")
        .locator(".denials, .denials *")
        .evaluate_all(
            "all => all.map((one) => one.getBoundingClientRect()).map(({left, right}) => [left, right])"
        )
    )

    assert all(left >= 0 and right <= width for left, right in boxes)
