"""Many at once with the same code, the same recovery code, or fifty guesses: each code is good for once, and guesses are counted."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update
from time_machine import Traveller

from rbac_api.capabilities.second_factor import queries
from rbac_api.capabilities.signin import attempts, service
from rbac_api.database.tables import recovery_codes, totp_factors
from tests.builders import Stage
from tests.capabilities.conftest import OpenNode
from tests.capabilities.second_factor.device import Device, enrolled, sign_in
from tests.capabilities.signin.crowd import together
from tests.cast import DAVE
from tests.meeting import all_before_any

CROWD = 12


@pytest.fixture
def daves(stage: Stage, frozen: Traveller) -> Device:
    device = enrolled(stage.as_(DAVE))
    frozen.shift(60)
    return device


def entered(stage: Stage, otp: str) -> int:
    """How many of a crowd with one and the same code get in."""
    answers = together(CROWD, lambda _: sign_in(stage, DAVE, otp).status_code)
    assert set(answers) <= {200, 401}
    return answers.count(200)


def looks_then_writes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vulnerable twin: the whole crowd has looked whether a code was spent before anybody writes, without a condition, that it is."""
    with stage.database.reading() as connection:
        looked: Any = connection.execute(select(totp_factors)).first()
        fresh = select(recovery_codes.c.code_hash).where(recovery_codes.c.spent_at.is_(None))
        unspent = set(connection.execute(fresh).scalars())

    def spend_step(connection: Any, factor: Any, step: int) -> bool:
        same = totp_factors.c.user_id == factor.user_id
        connection.execute(update(totp_factors).where(same).values(last_step=step))
        return bool(looked.last_step is None or looked.last_step < step)

    def spend_recovery_code(connection: Any, _user_id: str, code_hash: str, now: Any) -> bool:
        same = recovery_codes.c.code_hash == code_hash
        connection.execute(update(recovery_codes).where(same).values(spent_at=now))
        return code_hash in unspent

    monkeypatch.setattr(queries, "spend_step", spend_step)
    monkeypatch.setattr(queries, "spend_recovery_code", spend_recovery_code)


@pytest.mark.parametrize("kind", ["code", "recovery code"])
def test_of_a_crowd_with_one_code_one_gets_in(
    stage: Stage, nodes: list[Stage], daves: Device, kind: str
) -> None:
    otp = daves.code() if kind == "code" else daves.recovery_codes[3]

    answers = together(CROWD, lambda n: sign_in(nodes[n % len(nodes)], DAVE, otp).status_code)

    assert sorted(answers) == [200] + [401] * (CROWD - 1)


@pytest.mark.parametrize("kind", ["code", "recovery code"])
def test_a_naive_check_lets_several_in_so_the_test_above_would_notice(
    stage: Stage, daves: Device, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    otp = daves.code() if kind == "code" else daves.recovery_codes[3]
    looks_then_writes(stage, monkeypatch)

    assert entered(stage, otp) > 1


def tried(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The codes that are really compared from now on."""
    found: list[str] = []
    spend = attempts.second_factor.spend_code

    def noted(*given: Any) -> Any:
        found.append(given[-1])
        return spend(*given)

    monkeypatch.setattr(attempts.second_factor, "spend_code", noted)
    return found


def test_of_fifty_guesses_at_once_five_are_tried(
    stage: Stage, node: OpenNode, daves: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = node(hashers=8, signin_queue=64)
    monkeypatch.setattr(service, "_verify_password", all_before_any(service._verify_password, 50))
    compared = tried(stage, monkeypatch)

    answers = together(50, lambda n: sign_in(wide, DAVE, f"{n:06}"))

    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {(401, "login.failed")}
    assert len(compared) == stage.settings.signin_free_failures


def test_a_count_taken_before_the_lock_lets_more_be_tried_so_the_test_above_would_notice(
    stage: Stage, node: OpenNode, daves: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin: it goes by the count as it was when the password was looked at."""
    wide = node(hashers=8, signin_queue=64)
    monkeypatch.setattr(service, "_verify_password", all_before_any(service._verify_password, 50))
    compared = tried(stage, monkeypatch)
    look_up = attempts.look_up

    def look_early(clearance: Any, username: str) -> Any:
        found = look_up(clearance, username)
        monkeypatch.setattr(attempts, "failures_of", lambda *_: found.failures)
        return found

    monkeypatch.setattr(service, "look_up", look_early)

    together(50, lambda n: sign_in(wide, DAVE, f"{n:06}"))

    assert len(compared) > stage.settings.signin_free_failures


@pytest.mark.parametrize("again", [True, False], ids=["who comes back", "who does not"])
def test_a_code_is_not_spent_for_somebody_who_is_disabled_meanwhile(
    stage: Stage, daves: Device, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    prove, code = service._verify_password, daves.code()
    before = stage.query("SELECT last_step FROM totp_factors")

    def prove_slowly(*given: Any) -> Any:
        if again:
            stage.execute("UPDATE users SET status = 'active' WHERE username = 'dave'")
        proven = prove(*given)
        stage.execute("UPDATE users SET status = 'disabled' WHERE username = 'dave'")
        return proven

    monkeypatch.setattr(service, "_verify_password", prove_slowly)

    assert sign_in(stage, DAVE, code).json["code"] == "login.failed"
    assert stage.query("SELECT last_step FROM totp_factors") == before
