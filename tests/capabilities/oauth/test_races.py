"""A robot that proved who it is and then has to wait: what was taken back meanwhile is taken back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, delete, update

from rbac_api import clock
from rbac_api.database.tables import assignments, client_secrets, users
from rbac_api.guard.enforcement.clients import Caller
from rbac_api.observability.metrics import CLIENTS
from rbac_api.trail.recorder import SYSTEM, Target, record
from tests.builders import Stage
from tests.capabilities.oauth.robot import Robot, ask_token, error, make_robot
from tests.cast import ALICE
from tests.patience import eventually


def withdraw(connection: Connection, robot: Robot) -> None:
    connection.execute(
        update(client_secrets).where(client_secrets.c.id == robot.secret_id).values(withdrawn_at=clock.now())
    )
    record(connection, SYSTEM, "client_secret.withdrawn", Target("service_account", robot.id, robot.name))


def disable(connection: Connection, robot: Robot) -> None:
    connection.execute(update(users).where(users.c.id == robot.id).values(status="disabled"))
    record(connection, SYSTEM, "service_account.disabled", Target("service_account", robot.id, robot.name))


def unassign(connection: Connection, robot: Robot) -> None:
    connection.execute(delete(assignments).where(assignments.c.user_id == robot.id))
    record(connection, SYSTEM, "assignment.ended", Target("service_account", robot.id, robot.name))


def meanwhile(stage: Stage, robot: Robot, change: Any, ask: Any = ask_token) -> Any:
    """The answer to a robot whose credentials were good, given after something changed while it waited for the write lock."""
    before = CLIENTS.labels("succeeded")._value.get()
    with ThreadPoolExecutor(1) as pool:
        with stage.database.writing() as connection:
            waiting = pool.submit(ask, stage, robot)
            assert eventually(lambda: CLIENTS.labels("succeeded")._value.get() > before, 0.005)
            change(connection, robot)
        return waiting.result()


@pytest.mark.parametrize("change", [withdraw, disable], ids=lambda change: change.__name__)
def test_what_was_taken_back_while_it_waited_opens_nothing(stage: Stage, change: Any) -> None:
    robot = make_robot(stage)

    assert error(meanwhile(stage, robot, change)) == (401, "invalid_client")
    assert stage.query("SELECT count(*) FROM sessions WHERE generation = 0") == [(0,)]


def test_the_twin_that_does_not_look_again_hands_out_a_token(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stage.guard.clients, "confirm", lambda *_given: None)

    assert meanwhile(stage, make_robot(stage), withdraw).status_code == 200


def revoke_alice(stage: Stage, robot: Robot) -> Any:
    token = stage.as_(ALICE).tokens["access_token"]
    return lambda stage, robot: stage.caller().post(
        "/oauth/revoke", data={"token": token}, headers=robot.basic
    )


def test_who_lost_the_right_while_it_waited_revokes_nothing(stage: Stage) -> None:
    robot = make_robot(stage, "admin")

    answer = meanwhile(stage, robot, unassign, revoke_alice(stage, robot))

    assert error(answer) == (400, "unauthorized_client")
    assert stage.events("token.revoked") == []


def test_many_who_ask_at_once_each_get_a_token_of_their_own(stage: Stage) -> None:
    robot = make_robot(stage)

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda _: ask_token(stage, robot), range(36)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json["access_token"] for answer in answers}) == 36
    assert stage.query("SELECT count(*) FROM sessions WHERE generation = 0") == [(36,)]


def test_of_many_who_revoke_one_token_at_once_one_leaves_an_event(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    form = {"token": alice.tokens["refresh_token"], "client_id": "first-party"}

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: stage.caller().post("/oauth/revoke", data=form), range(8)))

    assert {answer.status_code for answer in answers} == {200}
    assert len(stage.events("session.ended")) == 1


def test_a_caller_never_shows_the_secret(stage: Stage) -> None:
    robot = make_robot(stage)
    seen: list[Any] = []
    original = stage.guard.clients.confirm
    stage.guard.clients.confirm = lambda connection, client: seen.append(client)
    try:
        ask_token(stage, robot)
    finally:
        stage.guard.clients.confirm = original

    assert robot.secret not in repr(seen)
    assert seen[0].digest not in repr(Caller(SYSTEM, {}, client=seen[0]))


def test_who_has_nothing_to_show_does_not_wait_for_the_write_lock(stage: Stage) -> None:
    stage.caller().post("/oauth/token", data={"grant_type": "client_credentials"})
    with stage.database.writing():
        answers = [
            stage.caller().post("/oauth/token", data={"grant_type": "client_credentials"}),
            stage.caller().post("/oauth/revoke", data={"token": "x", "client_id": "first-party"}),
            stage.caller().post("/oauth/revoke", data={"token": "x"}),
            stage.caller().post("/oauth/introspect", data={"token": "x"}),
        ]

    assert [answer.status_code for answer in answers] == [401, 200, 401, 401]
