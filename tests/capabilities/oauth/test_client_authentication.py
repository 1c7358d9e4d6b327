"""Who a client is: whatever is wrong with its credentials, the answer and the way to it are the same."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event
from time_machine import Traveller

from rbac_api import clock
from rbac_api.guard.incidents.repetitions import QUIET_SECONDS
from tests.builders import Stage
from tests.capabilities.oauth.robot import ask_token, basic, error, make_robot, raw_basic
from tests.cast import ALICE, DAVE, PASSWORD
from tests.patience import without_looks

GRANT = {"grant_type": "client_credentials"}
SECRET = "rbac-client-" + "x" * 43
UNKNOWN = "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"


def post(stage: Stage, headers: dict[str, str] | None = None, **form: str) -> Any:
    return stage.caller().post("/oauth/token", data={**GRANT, **form}, headers=headers or {})


def test_by_basic_and_by_form_alike(stage: Stage) -> None:
    robot = make_robot(stage)

    assert post(stage, robot.basic).status_code == 200
    assert post(stage, **robot.fields).status_code == 200
    assert post(stage, robot.basic, client_id=robot.id).status_code == 200


def test_each_half_of_basic_is_form_urlencoded(stage: Stage) -> None:
    robot = make_robot(stage)
    spelled = "".join(f"%{byte:02X}" for byte in f"{robot.id}".encode())
    secret = "".join(f"%{byte:02x}" for byte in robot.secret.encode())

    assert post(stage, raw_basic(f"{spelled}:{secret}".encode())).status_code == 200
    assert error(post(stage, raw_basic(f"{spelled}%3A{secret}".encode()))) == (401, "invalid_client")
    assert error(post(stage, raw_basic(f"{robot.id}:{robot.secret}:".encode()))) == (401, "invalid_client")
    assert error(post(stage, raw_basic(f"{robot.id}:{robot.secret}+".encode()))) == (401, "invalid_client")


def test_two_ways_at_once_are_one_too_many(stage: Stage) -> None:
    robot = make_robot(stage)

    assert error(post(stage, robot.basic, **robot.fields)) == (400, "invalid_request")
    assert error(post(stage, robot.basic, client_id=UNKNOWN)) == (400, "invalid_request")
    bearer = {"Authorization": f"Bearer {stage.as_(ALICE).tokens['access_token']}"}
    assert error(post(stage, bearer, **robot.fields)) == (400, "invalid_request")


def test_a_secret_in_the_address_is_refused_even_if_it_is_right(stage: Stage) -> None:
    robot = make_robot(stage)
    address = f"/oauth/token?client_id={robot.id}&client_secret={robot.secret}"

    assert error(stage.caller().post(address, data=GRANT)) == (400, "invalid_request")
    assert error(stage.caller().post(f"{address}&grant_type=client_credentials")) == (400, "invalid_request")


@pytest.mark.parametrize(
    "headers",
    [
        basic(UNKNOWN, SECRET),
        basic("nobody", SECRET),
        basic("", ""),
        basic("\0", "\0"),
        basic(UNKNOWN, "\0" * 8),
        basic("é" * 2000, "ü"),
        raw_basic(b"\xff\xfe:\xff"),
        raw_basic(b"%FF%FE:%ED%A0%80"),
        raw_basic(b"no colon"),
        raw_basic(b""),
        raw_basic(f"{UNKNOWN}%00:{SECRET}".encode()),
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic é"},
        {"Authorization": "Basic " + base64.urlsafe_b64encode(b"\xfb\xff:\xfb\xff").decode()},
        {"Authorization": "Bearer x"},
        {"Authorization": "Digest x"},
        {},
    ],
    ids=repr,
)
def test_credentials_that_are_none_have_one_answer(stage: Stage, headers: dict[str, str]) -> None:
    answer = post(stage, headers)

    assert error(answer) == (401, "invalid_client")
    assert answer.headers["WWW-Authenticate"].startswith('Basic realm="rbac-api"')


@pytest.mark.parametrize("value", ["\0", "\ud800", "x" * 50_000, "%00", "é"], ids=ascii)
def test_odd_form_fields_are_answered_and_not_stumbled_over(stage: Stage, value: str) -> None:
    body = (
        b"grant_type=client_credentials&client_id="
        + value.encode("utf-8", "surrogatepass")
        + b"&client_secret=x"
    )
    kind = "application/x-www-form-urlencoded"

    answer = stage.caller().post("/oauth/token", data=body, content_type=kind)

    assert error(answer) in ((401, "invalid_client"), (400, "invalid_request"))


def wrong(stage: Stage, robot: Any) -> Any:
    return post(stage, basic(robot.id, SECRET))


def unknown(stage: Stage, robot: Any) -> Any:
    return post(stage, basic(UNKNOWN, robot.secret))


def anothers(stage: Stage, robot: Any) -> Any:
    return post(stage, basic(robot.id, make_robot(stage, name="other-robot").secret))


def withdrawn(stage: Stage, robot: Any) -> Any:
    assert stage.as_(ALICE).delete(f"{robot.path}/secrets/{robot.secret_id}").status_code == 204
    return post(stage, robot.basic)


def disabled(stage: Stage, robot: Any) -> Any:
    stage.as_(ALICE).patch_now(robot.path, {"status": "disabled"})
    return post(stage, robot.basic)


def deleted(stage: Stage, robot: Any) -> Any:
    stage.as_(ALICE).delete_now(robot.path)
    return post(stage, robot.basic)


def person(stage: Stage, robot: Any) -> Any:
    return post(stage, basic(stage.user_id(DAVE), PASSWORD))


CASES: dict[Callable[..., Any], str] = {
    wrong: "wrong secret",
    unknown: "unknown client",
    anothers: "wrong secret",
    withdrawn: "withdrawn secret",
    disabled: "disabled",
    deleted: "withdrawn secret",
    person: "unknown client",
}


@pytest.mark.parametrize("attempt", CASES, ids=lambda case: case.__name__)
def test_every_failure_has_the_same_answer_and_its_reason_in_the_trail(
    stage: Stage, attempt: Callable[..., Any]
) -> None:
    expected = post(stage, basic("nobody", SECRET))  # once a minute this is recorded, whoever nobody is
    stage.guard.refusals.forget()

    answer = attempt(stage, make_robot(stage))

    assert error(answer) == (401, "invalid_client")
    assert answer.data == expected.data
    assert stage.events("client.failed")[-1]["reason"] == CASES[attempt]
    assert stage.events("client.failed")[-1]["outcome"] == "failure"


def test_an_expired_secret_opens_nothing(stage: Stage, frozen: Traveller) -> None:
    robot = make_robot(stage, expires_at=clock.rfc3339(clock.now() + timedelta(minutes=5)))
    assert ask_token(stage, robot).status_code == 200
    frozen.shift(301)

    assert error(ask_token(stage, robot)) == (401, "invalid_client")
    assert stage.events("client.failed")[-1]["reason"] == "expired secret"


def test_every_failure_takes_the_same_way_through_the_database(stage: Stage) -> None:
    robot, other = make_robot(stage), make_robot(stage, name="other-robot")
    stage.as_(ALICE).patch_now(other.path, {"status": "disabled"})
    attempts = [
        basic(UNKNOWN, SECRET), basic("nobody", "x"), basic(robot.id, SECRET), basic(robot.id, other.secret), other.basic,
    ]  # fmt: skip
    for headers in (*attempts, *attempts):
        post(stage, headers)  # what is recorded is recorded once a minute
    seen: list[str] = []
    record = lambda *given: seen.append(given[2])  # noqa: E731
    event.listen(stage.database.engine, "before_cursor_execute", record)

    ways = []
    for headers in attempts:
        seen.clear()
        assert post(stage, headers).status_code == 401
        ways.append(tuple(without_looks(stage.engine, seen)))
    event.remove(stage.database.engine, "before_cursor_execute", record)

    assert len(set(ways)) == 1
    assert ways[0]


def quiet_passes(stage: Stage) -> None:
    """What was counted lies more than a minute back."""
    for kept in stage.guard.repeated._counted.values():
        kept.until -= QUIET_SECONDS


def test_a_flood_of_failures_leaves_one_event_a_minute_that_counts_the_others(stage: Stage) -> None:
    robot = make_robot(stage)
    for number in range(20):
        post(stage, basic(robot.id, f"{SECRET}{number}"))
        post(stage, basic(f"nobody-{number}", SECRET))

    assert [event["target_name"] for event in stage.events("client.failed")] == [robot.name, None]
    quiet_passes(stage)
    post(stage, basic(robot.id, SECRET))
    assert json.loads(stage.events("client.failed")[-1]["after"]) == {"times": 20}


def test_when_a_secret_was_last_used_is_noted_once_a_minute(stage: Stage, frozen: Traveller) -> None:
    robot, alice = make_robot(stage), stage.as_(ALICE)
    used = lambda: alice.get(robot.path).json["secrets"][0]["last_used_at"]  # noqa: E731
    assert used() is None

    ask_token(stage, robot)
    first = used()
    frozen.shift(30)
    ask_token(stage, robot)
    assert used() == first
    frozen.shift(40)
    ask_token(stage, robot)
    assert used() > first


def test_a_robot_cannot_sign_in_as_people_do(stage: Stage) -> None:
    robot = make_robot(stage)
    for username in (robot.name, robot.id):
        body = {"username": username, "password": robot.secret}
        answer = stage.caller().post("/v1/auth/login", json=body)

        assert (answer.status_code, answer.json["code"]) == (401, "login.failed")


def test_no_secret_is_kept_or_told(stage: Stage) -> None:
    robot = make_robot(stage)
    ask_token(stage, robot)

    for table in ("client_secrets", "trail_events", "idempotency_keys", "sessions"):
        assert robot.secret not in str(stage.query(f"SELECT * FROM {table}"))
    assert robot.secret not in stage.as_(ALICE).get(robot.path).text


def test_two_sets_of_credentials_in_one_header_are_no_credentials(stage: Stage) -> None:
    both = {"Authorization": f"Basic {base64.b64encode(b'a:b').decode()}, Bearer x"}

    assert error(post(stage, both)) == (400, "invalid_request")
