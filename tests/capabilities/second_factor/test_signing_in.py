"""Signing in with a second factor, by Dave and by those who would like to be him."""

from __future__ import annotations

import pytest
from time_machine import Traveller

from rbac_api.guard import hashing
from tests.builders import Stage
from tests.capabilities.passwords.spy import Spy, hashed, store, watch
from tests.capabilities.second_factor.device import Device, enrolled, sign_in, strongly
from tests.capabilities.signin.crowd import claims, refresh
from tests.cast import BOB, CAROL, DAVE, PASSWORD


@pytest.fixture
def daves(stage: Stage, frozen: Traveller) -> Device:
    """Dave's device, some time after he confirmed it."""
    device = enrolled(stage.as_(DAVE))
    frozen.shift(60)
    return device


def test_the_token_and_the_session_say_how_dave_proved_himself(stage: Stage, daves: Device) -> None:
    dave = strongly(stage, DAVE, daves.code())

    assert claims(dave.tokens["access_token"])["amr"] == ["pwd", "otp"]
    assert "amr" not in claims(dave.tokens["refresh_token"])
    session = stage.as_(CAROL).get(f"/v1/sessions/{dave.tokens['session_id']}").json
    assert session["amr"] == ["pwd", "otp"]
    assert "amr" not in claims(stage.as_(BOB).tokens["access_token"])


def test_refreshing_neither_loses_nor_gains_the_second_factor(stage: Stage, daves: Device) -> None:
    strong, token = strongly(stage, DAVE, daves.code()), stage.as_(BOB).tokens["refresh_token"]

    for _ in range(2):  # the second is the repetition of the first
        again = refresh(stage, strong.tokens["refresh_token"]).json
        assert claims(again["access_token"])["amr"] == ["pwd", "otp"]
    enrolled(stage.as_(BOB))
    assert "amr" not in claims(refresh(stage, token).json["access_token"])


def test_without_a_code_the_right_password_is_told_so_and_a_wrong_one_nothing(
    stage: Stage, daves: Device
) -> None:
    missing = sign_in(stage, DAVE)
    wrong = sign_in(stage, DAVE, None, "not the password")
    nobody = sign_in(stage, "nobody", "123456")

    assert (missing.status_code, missing.json["code"]) == (401, "mfa.required")
    assert [answer.json["code"] for answer in (wrong, nobody)] == ["login.failed"] * 2
    assert missing.headers["WWW-Authenticate"] == 'Bearer realm="rbac-api"'
    assert stage.query("SELECT count(*) FROM sessions WHERE amr <> 'pwd'") == [(0,)]


def test_a_code_tells_nothing_before_the_right_password(stage: Stage, daves: Device) -> None:
    answers = [sign_in(stage, DAVE, otp, "not the password").json for otp in (daves.code(), "000000", None)]

    assert {answer["code"] for answer in answers} == {"login.failed"}
    assert len({answer["detail"] for answer in answers}) == 1
    assert sign_in(stage, DAVE, daves.code()).status_code == 200  # which those attempts did not spend


@pytest.mark.parametrize("shape", ["{0}", "{0:.3} {0:.3}", "junk"])
def test_a_wrong_code_is_answered_and_counted_like_a_wrong_password(
    stage: Stage, daves: Device, shape: str
) -> None:
    answer = sign_in(stage, DAVE, shape.format(daves.code(9)))

    assert (answer.status_code, answer.json["code"]) == (401, "login.failed")
    assert stage.query("SELECT failures FROM signin_attempts") == [(1,)]
    assert stage.events("signin.failed")[-1]["reason"] == "wrong second factor"


def test_after_five_wrong_codes_the_right_one_has_to_wait(
    stage: Stage, daves: Device, frozen: Traveller
) -> None:
    for number in range(5):
        sign_in(stage, DAVE, f"{number:06}")
    too_soon = sign_in(stage, DAVE, daves.code())
    frozen.shift(1)

    assert too_soon.json["code"] == "login.failed"
    assert sign_in(stage, DAVE, daves.code()).status_code == 200
    assert stage.query("SELECT count(*) FROM signin_attempts") == [(0,)]


def test_the_right_password_alone_does_not_wipe_out_the_count(stage: Stage, daves: Device) -> None:
    for number in range(4):
        sign_in(stage, DAVE, f"{number:06}")
        sign_in(stage, DAVE)

    assert stage.query("SELECT failures FROM signin_attempts") == [(4,)]


def test_a_code_is_good_for_once_and_so_is_every_earlier_one(
    stage: Stage, daves: Device, frozen: Traveller
) -> None:
    early, code = daves.code(-1), daves.code()

    answers = [sign_in(stage, DAVE, otp).status_code for otp in (code, code, early, daves.code(1))]

    assert answers == [200, 401, 401, 200]


def test_the_code_that_confirmed_is_spent(stage: Stage, frozen: Traveller) -> None:
    device = enrolled(stage.as_(DAVE))

    assert sign_in(stage, DAVE, device.code()).status_code == 401
    assert sign_in(stage, DAVE, device.code(1)).status_code == 200


@pytest.mark.parametrize(("slow", "status"), [(30, 200), (-30, 200), (61, 401), (-61, 401)])
def test_daves_clock_may_be_half_a_minute_off(stage: Stage, daves: Device, slow: int, status: int) -> None:
    daves.slow = slow

    assert sign_in(stage, DAVE, daves.code()).status_code == status


def test_the_code_of_bobs_device_is_nothing_for_dave(stage: Stage, daves: Device) -> None:
    bobs = enrolled(stage.as_(BOB))

    assert sign_in(stage, DAVE, bobs.code()).json["code"] == "login.failed"
    assert sign_in(stage, DAVE, bobs.recovery_codes[0]).json["code"] == "login.failed"
    assert sign_in(stage, BOB, bobs.recovery_codes[0]).status_code == 200


def test_a_recovery_code_is_good_for_once_and_counts_as_a_second_factor(stage: Stage, daves: Device) -> None:
    typed = daves.recovery_codes[0].upper().replace("-", " ")

    first, second = sign_in(stage, DAVE, typed), sign_in(stage, DAVE, typed)

    assert claims(first.json["access_token"])["amr"] == ["pwd", "otp"]
    assert second.json["code"] == "login.failed"
    (event,) = stage.events("totp.recovered")
    assert '"recovery_codes_left":9' in str(event["after"]).replace("'", '"').replace(" ", "")


def test_whoever_has_no_second_factor_may_send_a_code_and_nothing_follows(stage: Stage) -> None:
    answer = sign_in(stage, BOB, "123456")

    assert answer.status_code == 200
    assert "amr" not in claims(answer.json["access_token"])


def test_a_blocked_account_is_not_even_asked_for_its_code(stage: Stage, daves: Device) -> None:
    for _ in range(5):
        sign_in(stage, DAVE, None, "wrong")

    assert [sign_in(stage, DAVE, otp).json["code"] for otp in (None, daves.code())] == ["login.failed"] * 2


FAILING = {"missing": None, "wrong": "000000", "a spent recovery code": "aaaa-aaaa-aaaa-aaaa"}


@pytest.mark.parametrize("otp", FAILING.values(), ids=FAILING)
@pytest.mark.parametrize("cost", [4, 5])
def test_every_failure_costs_one_hash_also_where_the_hash_is_of_an_old_make(
    stage: Stage, daves: Device, monkeypatch: pytest.MonkeyPatch, otp: str | None, cost: int
) -> None:
    store(stage, "dave", hashed(stage, PASSWORD, cost=cost))
    spy = watch(stage, monkeypatch)

    assert spy.during(lambda: sign_in(stage, DAVE, otp)) == [cost]


def test_the_old_hash_is_renewed_once_everything_is_proved(
    stage: Stage, daves: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(stage, "dave", hashed(stage, PASSWORD, cost=5))
    spy: Spy = watch(stage, monkeypatch)

    assert spy.during(lambda: strongly(stage, DAVE, daves.code())) == [5, 4]
    assert "$2b$04$" in stage.query("SELECT password_hash FROM users WHERE username = 'dave'")[0][0]


def test_a_busy_hasher_renews_it_another_time(
    stage: Stage, daves: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(stage, "dave", hashed(stage, PASSWORD, cost=5))

    def busy(*_: object) -> str:
        raise hashing.HasherBusy()

    monkeypatch.setattr(hashing.Hasher, "hash", busy)

    strongly(stage, DAVE, daves.code())

    assert "$2b$05$" in stage.query("SELECT password_hash FROM users WHERE username = 'dave'")[0][0]
