"""What a token says of a second factor is for other services; here the session's row decides."""

from __future__ import annotations

from typing import Any

import pytest

from rbac_api.capabilities.second_factor.service import spend_code
from rbac_api.cli.prepare import operator_unit
from rbac_api.guard.tokens.token import Authority, Issue
from tests.builders import Stage
from tests.cast import ALICE, BOB
from tests.guard.forgery import Model

ODD: list[Any] = [
    ["otp"],
    ["pwd"],
    ["pwd", "otp", "hwk"],
    ["otp", "pwd"],
    "pwd otp",
    [],
    None,
    [["pwd", "otp"]],
    {"pwd": 1},
]


def model(stage: Stage, kind: str = "access") -> Model:
    return Model(stage.as_(BOB).tokens[f"{kind}_token"], stage.guard.keyring.active())


@pytest.mark.parametrize("amr", ODD, ids=str)
def test_a_token_says_it_as_we_write_it_or_is_no_token_of_ours(stage: Stage, amr: Any) -> None:
    bob = stage.caller()
    bob.tokens = {"access_token": model(stage).with_claims(amr=amr)}

    assert bob.get("/v1/me").json["code"] == "token.invalid"


def test_a_refresh_token_says_nothing_of_it(stage: Stage) -> None:
    forged = model(stage, "refresh").with_claims(amr=["pwd", "otp"])

    answer = stage.caller().post("/v1/auth/refresh", json={"refresh_token": forged})

    assert answer.json["code"] == "token.invalid"


def test_a_thief_of_the_key_cannot_write_himself_a_second_factor(stage: Stage) -> None:
    stage.as_(ALICE).patch_now("/v1/roles/role-manager", {"requires_mfa": True})
    bob = stage.caller()
    bob.tokens = {"access_token": model(stage).with_claims(amr=["pwd", "otp"], roles=["role-manager"])}

    assert bob.get("/v1/users").status_code == 403
    assert bob.get("/v1/me").json["session"]["amr"] == ["pwd"]


def test_nothing_but_these_two_is_ever_issued(stage: Stage) -> None:
    claims = (stage.user_id(BOB),) * 3
    odd = Issue(*claims, "app", 1, 2, 1, amr=("otp",))

    with stage.app.app_context(), pytest.raises(ValueError, match="fixed"):
        stage.guard.bearer.issue_access(odd, Authority((), 1))


def test_a_code_of_somebody_without_a_factor_proves_nothing(stage: Stage) -> None:
    with stage.database.writing() as connection:
        assert spend_code(connection, stage.settings, stage.user_id(BOB), "123456") is None


def test_the_operator_need_not_have_signed_in_at_all(stage: Stage) -> None:
    with operator_unit(stage.settings, stage.database, writes=False) as clearance:
        clearance.require_recent_signin()
        assert clearance.second_factor is False
