"""Failed sign-ins: a growing delay and a time-boxed lock per account, whatever its name is typed like and wherever it comes from."""

from __future__ import annotations

import contextlib

import pytest
import time_machine
from time_machine import Traveller
from werkzeug.test import TestResponse

from rbac_api import clock
from rbac_api.capabilities.attempts.service import blocking, clear_old_failures
from rbac_api.guard.hashing import Hasher
from rbac_api.settings import Settings
from tests.builders import OpenNode, Stage
from tests.capabilities.signin.crowd import together
from tests.cast import ALICE, DAVE, MALLORY, PASSWORD

LOCK = 900


def attempt(stage: Stage, username: str, password: str, **headers: str) -> TestResponse:
    body = {"username": username, "password": password}
    return stage.caller().post("/v1/auth/login", json=body, headers=headers)


def fail(stage: Stage, frozen: Traveller, times: int, username: str = "dave") -> None:
    """So many wrong passwords, each tried only when the delay after the one before is over."""
    for _ in range(times):
        assert attempt(stage, username, "wrong").status_code == 401
        frozen.shift(61)


def test_the_delay_grows_from_nothing_to_the_lock() -> None:
    settings = Settings()

    seconds = [blocking(settings, failures) for failures in range(13)]

    assert seconds == [0, 0, 0, 0, 0, 1, 2, 4, 8, 16, LOCK, LOCK, LOCK]


def test_the_delay_never_grows_beyond_a_minute_before_the_lock() -> None:
    settings = Settings(signin_lock_failures=100)

    assert max(blocking(settings, failures) for failures in range(100)) == 60


def test_dave_who_mistyped_four_times_signs_in_at_once_and_begins_anew(
    stage: Stage, frozen: Traveller
) -> None:
    for _ in range(2):
        for _ in range(4):
            attempt(stage, "dave", "wrong")

        assert attempt(stage, "dave", PASSWORD).status_code == 200
    assert stage.query("SELECT count(*) FROM signin_attempts") == [(0,)]


def test_after_five_failures_even_the_right_password_has_to_wait(stage: Stage, frozen: Traveller) -> None:
    for _ in range(5):
        attempt(stage, "dave", "wrong")

    too_soon = attempt(stage, "dave", PASSWORD)
    frozen.shift(1)

    assert too_soon.status_code == 401
    assert attempt(stage, "dave", PASSWORD).status_code == 200


def test_the_right_password_during_the_lock_gets_the_answer_of_a_wrong_one(
    stage: Stage, frozen: Traveller
) -> None:
    fail(stage, frozen, 9)
    wrong = attempt(stage, "dave", "wrong", **{"X-Request-ID": "same"})

    right = attempt(stage, "dave", PASSWORD, **{"X-Request-ID": "same"})

    assert right.data == wrong.data
    counted = [dict(answer.headers) for answer in (right, wrong)]
    assert [headers.pop("RateLimit") != "" for headers in counted] == [True, True], "that one counts attempts"
    assert counted[0] == counted[1]
    assert stage.events("signin.failed")[-1]["reason"] == "locked"
    (locked,) = stage.events("signin.locked")
    assert locked["target_name"] == "dave"


def test_the_lock_is_over_in_time_however_often_it_was_tried_meanwhile(
    stage: Stage, frozen: Traveller
) -> None:
    fail(stage, frozen, 9)
    attempt(stage, "dave", "wrong")
    for _ in range(10):
        frozen.shift(LOCK / 10 - 0.1)
        assert attempt(stage, "dave", "wrong").status_code == 401
    frozen.shift(1)

    assert attempt(stage, "dave", PASSWORD).status_code == 200
    assert len(stage.events("signin.locked")) == 1


def test_the_last_administrator_cannot_be_locked_out_for_ever(stage: Stage, frozen: Traveller) -> None:
    fail(stage, frozen, 30, "alice")
    frozen.shift(LOCK)

    assert attempt(stage, "alice", PASSWORD).status_code == 200


@pytest.mark.parametrize("spelling", ["DAVE", " dave ", "ｄａｖｅ", "𝐝𝐚𝐯𝐞", "Dａve"])
def test_however_the_name_is_typed_the_failures_add_up(
    stage: Stage, frozen: Traveller, spelling: str
) -> None:
    for _ in range(5):
        attempt(stage, spelling, "wrong")

    assert attempt(stage, "dave", PASSWORD).status_code == 401
    assert stage.query("SELECT failures FROM signin_attempts") == [(5,)]


def test_a_made_up_forwarding_header_does_not_begin_a_new_count(stage: Stage, frozen: Traveller) -> None:
    for number in range(5):
        attempt(
            stage,
            "dave",
            "wrong",
            **{"X-Forwarded-For": f"203.0.113.{number}", "Forwarded": f"for=203.0.113.{number}"},
        )

    assert attempt(stage, "dave", PASSWORD, **{"X-Forwarded-For": "198.51.100.1"}).status_code == 401


def test_unknown_names_are_counted_like_known_ones_and_kept_nowhere_in_clear(
    stage: Stage, frozen: Traveller
) -> None:
    fail(stage, frozen, 10, "my secret typed into the wrong box")

    (row,) = stage.query("SELECT name_digest, failures FROM signin_attempts")
    assert row[1] == 10
    assert "secret" not in row[0]
    assert all("wrong box" not in str(event) for event in stage.events())


def test_the_count_of_one_account_is_nobody_elses(stage: Stage, frozen: Traveller) -> None:
    fail(stage, frozen, 10, "alice")

    assert attempt(stage, "dave", PASSWORD).status_code == 200


def test_old_counts_do_not_collect(stage: Stage, frozen: Traveller) -> None:
    attempt(stage, "mistyped", "wrong")
    frozen.shift(86_401)
    attempt(stage, "dave", "wrong")
    with stage.database.writing() as connection:
        assert clear_old_failures(connection) == 1

    assert stage.query("SELECT failures FROM signin_attempts") == [(1,)]


def test_a_lock_holds_on_the_other_node_too(stage: Stage, nodes: list[Stage], frozen: Traveller) -> None:
    fail(stage, frozen, 9)
    attempt(stage, "dave", "wrong")

    assert attempt(nodes[-1], "dave", PASSWORD).status_code == 401


def test_twenty_honest_sign_ins_at_once_all_succeed(stage: Stage) -> None:
    for _ in range(4):
        attempt(stage, "dave", "wrong")

    answers = together(20, lambda _: attempt(stage, "dave", PASSWORD))

    assert [answer.status_code for answer in answers] == [200] * 20
    assert len({answer.json["session_id"] for answer in answers}) == 20


def evaluated(stage: Stage) -> int:
    """How many of a hundred parallel guesses at Dave's password were compared with his hash."""
    with time_machine.travel(clock.now(), tick=False):  # no delay is over while a busy machine hashes
        together(100, lambda n: attempt(stage, "dave", f"guess {n}").status_code)
    reasons = [event["reason"] for event in stage.events("signin.failed")]
    return reasons.count("wrong password")


def test_of_a_hundred_parallel_guesses_hardly_any_is_even_looked_at(stage: Stage, node: OpenNode) -> None:
    assert evaluated(node(signin_queue=200, hashers=2)) <= 5 + 2


def test_without_the_slot_the_guesses_would_slip_past_the_count(
    stage: Stage, node: OpenNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hasher, "slot", lambda _: contextlib.nullcontext())

    assert evaluated(node(signin_queue=200, hashers=2)) > 12


def test_a_flood_of_sign_ins_is_turned_away_rather_than_queued_for_ever(stage: Stage, node: OpenNode) -> None:
    small = node(signin_queue=2, hashers=1)

    answers = together(40, lambda _: attempt(small, "mallory", PASSWORD))

    assert {answer.status_code for answer in answers} == {401, 503}
    assert all("Retry-After" in answer.headers for answer in answers if answer.status_code == 503)
    assert MALLORY.disabled
    assert attempt(small, ALICE.username, PASSWORD).status_code == 200
    assert attempt(small, DAVE.username, PASSWORD).status_code == 200
