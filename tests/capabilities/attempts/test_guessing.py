"""Guessing at a password or a code with somebody's access token: counted like failed sign-ins, wherever one is asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Row
from time_machine import Traveller

from rbac_api import clock
from rbac_api.capabilities.attempts import queries
from rbac_api.capabilities.me.errors import CurrentPasswordWrong
from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import ask_token, make_robot
from tests.capabilities.second_factor.device import PROOF, Device, sign_in
from tests.capabilities.signin.crowd import together
from tests.cast import ALICE, BOB, CAROL, DAVE, NEW_PASSWORD, PASSWORD
from tests.contract.operations import operations

PROOFS = {"current_password", "code", "otp", "password"}  # the fields in which something can be guessed
Guess = Callable[[Caller, str], Any]
Scene = tuple[Guess, str, str]  # how it is tried, the right answer, and the code of a wrong one


def change(caller: Caller, guess: str) -> Any:
    return caller.post("/v1/me/password", json={"current_password": guess, "new_password": NEW_PASSWORD})


def enrol(caller: Caller, guess: str) -> Any:
    return caller.post("/v1/me/totp", json={"current_password": guess})


def confirm(caller: Caller, guess: str) -> Any:
    return caller.post("/v1/me/totp/confirm", json={"code": guess})


def scene(dave: Caller, operation: str) -> Scene:
    if operation == "confirm_totp":
        device = Device(enrol(dave, PASSWORD).json["secret"])
        return confirm, device.code(), "totp.wrong"
    return (change if operation == "change_my_password" else enrol), PASSWORD, "password.wrong"


GUESSED = ("change_my_password", "confirm_totp", "enrol_totp")
# Not for a signed-in user to guess at: signing in counts by itself, and with a new account a password is chosen.
OTHERS = {"login", "create_user"}


def failures(stage: Stage) -> list[Any]:
    return stage.query("SELECT failures FROM signin_attempts")


def test_every_operation_that_asks_for_a_proof_is_tried_here(stage: Stage) -> None:
    asking = {
        found.id for found in operations(stage.app) if found.body and PROOFS & found.body["properties"].keys()
    }

    assert asking == OTHERS | set(GUESSED)


@pytest.mark.parametrize("operation", GUESSED)
def test_after_ten_wrong_guesses_the_right_one_is_refused_too_and_so_is_signing_in(
    stage: Stage, frozen: Traveller, operation: str
) -> None:
    dave = stage.as_(DAVE)
    guess, right, wrong = scene(dave, operation)

    codes = []
    for _ in range(30):
        codes.append(guess(dave, "000000x").json["code"])
        frozen.shift(17)
    answer = guess(dave, right)

    assert codes == [wrong] * 10 + ["account.locked"] * 20
    assert (answer.status_code, answer.json["code"]) == (429, "account.locked")
    assert answer.headers["Retry-After"] == str(900 - 21 * 17)
    assert sign_in(stage, DAVE).json["code"] == "login.failed"
    assert failures(stage) == [(10,)]
    (locked,) = stage.events("signin.locked")
    assert (locked["actor_name"], locked["target_name"]) == ("dave", "dave")
    assert stage.query("SELECT type, occurrences FROM incidents") == [("lockout", 1)]
    frozen.shift(900)
    assert sign_in(stage, DAVE).status_code == 200


@pytest.mark.parametrize("operation", GUESSED)
def test_wrong_guesses_add_to_failed_sign_ins(stage: Stage, frozen: Traveller, operation: str) -> None:
    dave = stage.as_(DAVE)
    guess, right, _ = scene(dave, operation)
    for _ in range(5):
        sign_in(stage, DAVE, password="wrong")
    early = guess(dave, right)
    frozen.shift(2)

    assert (early.json["code"], early.headers["Retry-After"]) == ("account.locked", "1")
    assert guess(dave, right).status_code < 300


@pytest.mark.parametrize("operation", GUESSED)
def test_of_many_guesses_at_once_no_more_are_looked_at_than_one_after_the_other(
    stage: Stage, operation: str
) -> None:
    dave = stage.as_(DAVE)
    guess, _, wrong = scene(dave, operation)

    codes = together(12, lambda _: guess(dave, "000000x").json["code"])

    assert failures(stage) == [(codes.count(wrong),)]
    assert codes.count(wrong) <= 5 + stage.settings.hasher_count
    assert set(codes) == {wrong, "account.locked"}


def test_if_failures_were_not_kept_when_the_request_is_refused_nothing_would_be_counted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    dave = stage.as_(DAVE)
    monkeypatch.setattr(CurrentPasswordWrong, "keeps_work", False)

    for _ in range(12):
        assert change(dave, "wrong").json["code"] == "password.wrong"
    assert failures(stage) == []


def test_a_lock_that_comes_while_the_right_password_is_compared_counts(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    dave, find, seen = stage.as_(DAVE), queries.find_attempts, list[str]()

    def locked_meanwhile(connection: Connection, digest: str) -> Row[Any] | None:
        found = find(connection, digest)
        if not seen:
            seen.append(digest)
            with stage.database.writing() as other:
                queries.count_failure(other, digest, clock.now())
                queries.block(other, digest, clock.now() + timedelta(minutes=15))
        return found

    monkeypatch.setattr(queries, "find_attempts", locked_meanwhile)

    assert change(dave, PASSWORD).json["code"] == "account.locked"
    assert stage.events("password.changed") == []


def test_dave_who_changes_his_password_begins_anew(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    for _ in range(4):
        change(dave, "wrong")

    assert change(dave, PASSWORD).status_code == 204
    assert failures(stage) == []


def test_a_program_has_no_password_and_locks_nobody(stage: Stage) -> None:
    robot = Caller(stage)
    robot.tokens = {"access_token": ask_token(stage, make_robot(stage)).json["access_token"]}

    assert {change(robot, "x").status_code, enrol(robot, "x").status_code} == {404}
    assert failures(stage) == []


def test_a_second_factor_is_set_up_with_the_password_only(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    without = dave.post("/v1/me/totp", json={})
    thief = dave.post("/v1/me/totp", json={"current_password": "guess"})

    assert (without.status_code, thief.status_code) == (422, 403)
    assert without.json["errors"][0]["pointer"] == "/current_password"
    assert stage.query("SELECT count(*) FROM totp_factors") == [(0,)]
    assert dave.post("/v1/me/totp", json=PROOF).status_code == 201


def test_the_password_in_a_repeatable_request_cannot_be_guessed_from_what_is_kept_of_it(stage: Stage) -> None:
    body = json.dumps(PROOF).encode()
    headers = {"Idempotency-Key": "k-1", "Content-Type": "application/json"}
    stage.as_(DAVE).post("/v1/me/totp", data=body, headers=headers)

    plain = hashlib.sha256(b"\n".join((b"POST", b"/v1/me/totp", body))).hexdigest()
    ((kept,),) = stage.query("SELECT fingerprint FROM idempotency_keys")
    assert kept != plain


# -- lifting it ---------------------------------------------------------------------------------------------------------------------


def locked(stage: Stage, frozen: Traveller, person: Any = DAVE) -> None:
    for _ in range(10):
        sign_in(stage, person, password="wrong")
        frozen.shift(61)
    assert sign_in(stage, person).json["code"] == "login.failed"


def test_a_lock_does_not_survive_a_reset_whose_token_is_spent(stage: Stage, frozen: Traveller) -> None:
    locked(stage, frozen)
    token = stage.as_(BOB).post(f"/v1/users/{stage.user_id(DAVE)}/password-reset").json["token"]
    assert failures(stage) == [(10,)]

    spent = stage.caller().post(
        "/v1/auth/password-setup", json={"token": token, "new_password": NEW_PASSWORD}
    )

    assert spent.status_code == 204
    assert sign_in(stage, DAVE, password=NEW_PASSWORD).status_code == 200


def test_bob_sees_the_lock_and_lifts_it(stage: Stage, frozen: Traveller) -> None:
    locked(stage, frozen)
    bob, path = stage.as_(BOB), f"/v1/users/{stage.user_id(DAVE)}"
    shown = bob.get(path)
    (listed,) = [user for user in bob.get("/v1/users").json["items"] if user["username"] == "dave"]

    assert shown.json["locked_until"] == listed["locked_until"] is not None
    assert [bob.post(f"{path}/unlock").status_code for _ in range(2)] == [204, 204]

    assert bob.get(path).json["locked_until"] is None
    assert bob.get(path).headers["ETag"] != shown.headers["ETag"]
    assert sign_in(stage, DAVE).status_code == 200
    (event,) = stage.events("user.unlocked")
    assert (event["actor_name"], event["target_name"], event["outcome"]) == ("bob", "dave", "success")


def test_a_delay_is_shown_while_it_lasts_and_lifted_too(stage: Stage, frozen: Traveller) -> None:
    bob, path = stage.as_(BOB), f"/v1/users/{stage.user_id(DAVE)}"
    for _ in range(5):
        sign_in(stage, DAVE, password="wrong")
    assert bob.get(path).json["locked_until"] is not None

    bob.post(f"{path}/unlock")

    assert sign_in(stage, DAVE).status_code == 200
    sign_in(stage, DAVE, password="wrong")
    assert bob.get(path).json["locked_until"] is None  # counted from the beginning
    assert stage.as_(DAVE).get("/v1/me").json["locked_until"] is None


def test_a_lock_that_is_over_is_shown_no_more(stage: Stage, frozen: Traveller) -> None:
    locked(stage, frozen)
    frozen.shift(900)

    assert stage.as_(BOB).get(f"/v1/users/{stage.user_id(DAVE)}").json["locked_until"] is None


def test_who_may_unlock_whom(stage: Stage, frozen: Traveller) -> None:
    bob, ids = stage.as_(BOB), {person: stage.user_id(person) for person in (ALICE, BOB, DAVE)}
    carol = stage.as_(CAROL)

    refused = [
        carol.post(f"/v1/users/{ids[DAVE]}/unlock"),
        bob.post(f"/v1/users/{ids[ALICE]}/unlock"),
        bob.post(f"/v1/users/{ids[BOB]}/unlock"),  # else who stole his token could go on guessing
        bob.post("/v1/users/0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57/unlock"),
    ]

    codes = ["access.denied", "target.stronger", "target.self", "user.not_found"]
    assert [answer.json["code"] for answer in refused] == codes
    assert stage.events("user.unlocked") == []


def test_a_thief_with_an_administrators_token_cannot_go_on_guessing(stage: Stage, frozen: Traveller) -> None:
    alice = stage.as_(ALICE)
    for _ in range(10):
        change(alice, "wrong")
        frozen.shift(17)

    assert alice.post(f"/v1/users/{stage.user_id(ALICE)}/unlock").json["code"] == "target.self"
    assert change(alice, PASSWORD).json["code"] == "account.locked"
