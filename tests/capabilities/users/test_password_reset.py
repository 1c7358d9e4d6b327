"""Resetting passwords: nobody chooses a password for somebody else, and a setup token works once, for a time, until a newer one."""

import hashlib

import pytest
import time_machine
from werkzeug.test import TestResponse

from rbac_api.capabilities.users import queries
from tests.builders import Caller, Stage
from tests.capabilities.signin.crowd import together
from tests.cast import ALICE, BOB, DAVE, NEW_PASSWORD, PASSWORD

LIFETIME = 86400
RIVALS = 8


def reset(caller: Caller, stage: Stage) -> str:
    """Dave's password is reset; the token that this gives out."""
    token: str = caller.post(f"/v1/users/{stage.user_id(DAVE)}/password-reset").json["token"]
    return token


def choose(stage: Stage, token: str, password: str = NEW_PASSWORD) -> TestResponse:
    """Somebody without credentials chooses a password."""
    return stage.caller().post("/v1/auth/password-setup", json={"token": token, "new_password": password})


def test_bob_resets_daves_password_and_dave_chooses_another(stage: Stage) -> None:
    dave, bob = stage.as_(DAVE), stage.as_(BOB)

    answer = bob.post(f"/v1/users/{stage.user_id(DAVE)}/password-reset")

    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/v1/users/{stage.user_id(DAVE)}"
    assert dave.get("/v1/me").json["code"] == "token.revoked"
    login = {"username": "dave", "password": PASSWORD}
    assert stage.caller().post("/v1/auth/login", json=login).json["code"] == "login.failed"
    assert choose(stage, answer.json["token"]).status_code == 204
    assert stage.as_(DAVE, NEW_PASSWORD).tokens["password_change_required"] is False


def test_a_token_is_spent_by_its_first_use(stage: Stage) -> None:
    token = reset(stage.as_(BOB), stage)
    choose(stage, token)
    dave = stage.as_(DAVE, NEW_PASSWORD)

    again = choose(stage, token, "another password entirely")

    assert (again.status_code, again.json["code"]) == (401, "setup_token.invalid")
    assert dave.get("/v1/me").status_code == 200


def test_a_token_is_overtaken_by_a_newer_one(stage: Stage) -> None:
    bob = stage.as_(BOB)
    older, newer = reset(bob, stage), reset(bob, stage)

    assert choose(stage, older).json["code"] == "setup_token.invalid"
    assert choose(stage, newer).status_code == 204


@pytest.mark.parametrize(("after", "status"), [(LIFETIME - 1, 204), (LIFETIME, 401)])
def test_a_token_works_until_just_before_its_time_is_up(
    stage: Stage, frozen: time_machine.Traveller, after: int, status: int
) -> None:
    token = reset(stage.as_(BOB), stage)

    frozen.shift(after)

    assert choose(stage, token).status_code == status


def test_a_token_is_of_no_use_while_dave_is_disabled_and_never_once_he_is_deleted(stage: Stage) -> None:
    alice, path = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}"
    token = reset(alice, stage)

    alice.patch_now(path, {"status": "disabled"})
    assert choose(stage, token).json["code"] == "setup_token.invalid"
    alice.patch_now(path, {"status": "active"})
    alice.delete_now(path)

    assert choose(stage, token).json["code"] == "setup_token.invalid"


def test_a_password_that_is_refused_leaves_the_token_unspent(stage: Stage) -> None:
    token = reset(stage.as_(BOB), stage)

    refused = choose(stage, token, "too short")

    assert [fault["pointer"] for fault in refused.json["errors"]] == ["/new_password"]
    assert choose(stage, token).status_code == 204


def test_a_token_that_nobody_gave_out_is_like_one_that_was_spent(stage: Stage) -> None:
    token = reset(stage.as_(BOB), stage)
    choose(stage, token)

    bodies = [choose(stage, known).json | {"request_id": ""} for known in (token, "rbac-setup-guessed")]

    assert bodies[0] == bodies[1]


def test_neither_table_nor_trail_knows_the_token(stage: Stage) -> None:
    token = reset(stage.as_(BOB), stage)

    stored = stage.query("SELECT token_hash FROM password_setups WHERE spent_at IS NULL")
    assert stored == [(hashlib.sha256(token.encode()).hexdigest(),)]
    event = stage.events("password.reset")[-1]
    assert (event["actor_name"], event["target_name"]) == ("bob", "dave")
    assert token not in str(event)


def rush(stage: Stage) -> list[int]:
    """Everybody spends the same token at once, each for a password of their own."""
    token = reset(stage.as_(BOB), stage)
    return together(RIVALS, lambda n: choose(stage, token, f"{n} marbles in the fjord").status_code)


def test_of_many_who_spend_one_token_at_once_one_succeeds(stage: Stage) -> None:
    statuses = rush(stage)

    assert sorted(statuses) == [204] + [401] * (RIVALS - 1)
    assert len(stage.events("password.set")) == 1


def test_a_look_before_the_lock_alone_would_let_many_succeed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin: what was found before hashing is believed afterwards."""
    find = queries.find_password_setup
    believed: dict[str, object] = {}

    def naive(connection: object, token_hash: str, now: object) -> object:
        return believed.get(token_hash) or believed.setdefault(token_hash, find(connection, token_hash, now))  # type: ignore[arg-type]

    monkeypatch.setattr(queries, "find_password_setup", naive)

    assert rush(stage).count(204) > 1
