"""Setting up a second factor: by somebody who signed in lately, and proved."""

from __future__ import annotations

from time_machine import Traveller

from rbac_api.capabilities.second_factor import codes, queries
from tests.builders import Stage
from tests.capabilities.second_factor.device import PROOF, Device, enrolled, sign_in, strongly
from tests.cast import ALICE, BOB, DAVE

HOUR = 3600


def test_a_thief_with_an_old_session_cannot_set_up_a_factor_of_his_own(
    stage: Stage, frozen: Traveller
) -> None:
    dave = stage.as_(DAVE)
    for _ in range(3):
        frozen.shift(HOUR / 2)
        fresh = stage.caller().post("/v1/auth/refresh", json={"refresh_token": dave.tokens["refresh_token"]})
        dave.tokens = fresh.json

    for answer in (
        dave.post("/v1/me/totp", json=PROOF),
        dave.post("/v1/me/totp/confirm", json={"code": "000000"}),
        dave.delete("/v1/me/totp"),
    ):
        assert (answer.status_code, answer.json["code"]) == (401, "signin.too_old")
    assert stage.query("SELECT count(*) FROM totp_factors") == [(0,)]


def test_a_secret_that_was_never_confirmed_asks_nothing_of_anybody(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    answer = dave.post("/v1/me/totp", json=PROOF)

    assert (answer.status_code, answer.headers["Location"]) == (201, "/v1/me/totp")
    assert answer.json["secret"] in answer.json["otpauth_uri"]
    assert answer.json["qr_code"] == codes.qr_code(answer.json["otpauth_uri"])
    assert sign_in(stage, DAVE).status_code == 200
    assert dave.get("/v1/me").json["second_factor"] is False


def test_a_repeated_request_shows_the_secret_again_only_while_it_waits_to_be_confirmed(
    stage: Stage, frozen: Traveller
) -> None:
    dave, key = stage.as_(DAVE), {"Idempotency-Key": "k-1"}
    first, again = (dave.post("/v1/me/totp", json=PROOF, headers=key).json for _ in range(2))
    assert first == again

    dave.post("/v1/me/totp/confirm", json={"code": Device(first["secret"]).code()})
    late = dave.post("/v1/me/totp", json=PROOF, headers=key)

    assert (late.status_code, late.json["code"]) == (409, "totp.active")


def test_a_repeated_request_never_shows_a_secret_that_is_not_the_present_one(stage: Stage) -> None:
    dave, key = stage.as_(DAVE), {"Idempotency-Key": "k-1"}
    first = dave.post("/v1/me/totp", json=PROOF, headers=key).json
    replaced = dave.post("/v1/me/totp", json=PROOF).json
    anew = dave.post("/v1/me/totp", json=PROOF, headers=key).json
    dave.delete("/v1/me/totp")
    removed = dave.post("/v1/me/totp", json=PROOF, headers=key).json

    assert len({answer["secret"] for answer in (first, replaced, anew, removed)}) == 4


def test_dave_confirms_and_is_asked_from_then_on(stage: Stage, frozen: Traveller) -> None:
    dave = stage.as_(DAVE)
    device = enrolled(dave)

    assert len(device.recovery_codes) == 10
    assert dave.get("/v1/me").json["second_factor"] is True
    assert sign_in(stage, DAVE).json["code"] == "mfa.required"
    assert [event["action"] for event in stage.events() if event["action"].startswith("totp")] == [
        "totp.enrolled", "totp.confirmed",
    ]  # fmt: skip
    assert not any(
        device.secret in str(event) or device.recovery_codes[0] in str(event) for event in stage.events()
    )


def test_confirming_does_not_upgrade_the_session_it_happens_in(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    enrolled(dave)

    assert dave.get("/v1/me").json["session"]["amr"] == ["pwd"]


def test_a_wrong_code_confirms_nothing_and_another_may_be_tried(stage: Stage, frozen: Traveller) -> None:
    dave = stage.as_(DAVE)
    device = Device(dave.post("/v1/me/totp", json=PROOF).json["secret"])

    wrong = dave.post("/v1/me/totp/confirm", json={"code": device.code(5)})

    assert (wrong.status_code, wrong.json["code"]) == (403, "totp.wrong")
    assert stage.events("access.refused")[-1]["actor_name"] == "dave"
    assert dave.post("/v1/me/totp/confirm", json={"code": device.code()}).status_code == 200


def test_there_is_nothing_to_confirm_before_it_begins_nor_long_after(stage: Stage, frozen: Traveller) -> None:
    dave = stage.as_(DAVE)
    early = dave.post("/v1/me/totp/confirm", json={"code": "123456"})
    device = Device(dave.post("/v1/me/totp", json=PROOF).json["secret"])
    frozen.shift(600)

    late = dave.post("/v1/me/totp/confirm", json={"code": device.code()})

    assert [answer.json["code"] for answer in (early, late)] == ["totp.not_begun"] * 2


def test_beginning_anew_makes_the_first_secret_worthless(stage: Stage, frozen: Traveller) -> None:
    dave = stage.as_(DAVE)
    first = Device(dave.post("/v1/me/totp", json=PROOF).json["secret"])
    second = Device(dave.post("/v1/me/totp", json=PROOF).json["secret"])

    assert dave.post("/v1/me/totp/confirm", json={"code": first.code()}).status_code == 403
    assert dave.post("/v1/me/totp/confirm", json={"code": second.code()}).status_code == 200


def test_a_second_factor_beside_the_first_is_refused_until_that_is_removed(
    stage: Stage, frozen: Traveller
) -> None:
    dave = stage.as_(DAVE)
    device = enrolled(dave)

    again = [
        dave.post("/v1/me/totp", json=PROOF),
        dave.post("/v1/me/totp/confirm", json={"code": device.code(1)}),
    ]

    assert [(answer.status_code, answer.json["code"]) for answer in again] == [(409, "totp.active")] * 2


def test_whoever_confirms_second_gets_no_codes(stage: Stage, frozen: Traveller, monkeypatch) -> None:
    dave = stage.as_(DAVE)
    device = Device(dave.post("/v1/me/totp", json=PROOF).json["secret"])
    with stage.database.reading() as connection:
        as_it_was = queries.find_factor(connection, stage.user_id(DAVE))
    assert dave.post("/v1/me/totp/confirm", json={"code": device.code()}).status_code == 200
    monkeypatch.setattr(queries, "find_factor", lambda *_: as_it_was)  # read just before that

    late = dave.post("/v1/me/totp/confirm", json={"code": device.code()})

    assert late.json["code"] == "totp.active"
    assert stage.query("SELECT count(*) FROM recovery_codes") == [(10,)]


def test_the_secret_is_nowhere_in_the_database_in_clear(stage: Stage) -> None:
    device = enrolled(stage.as_(DAVE))

    stored = str(stage.query("SELECT * FROM totp_factors") + stage.query("SELECT * FROM recovery_codes"))

    assert device.secret not in stored
    assert not any(code.replace("-", "") in stored for code in device.recovery_codes)


def test_removing_needs_a_session_that_proved_the_factor(stage: Stage, frozen: Traveller) -> None:
    thief, other = stage.as_(DAVE), stage.as_(DAVE)
    device = enrolled(thief)
    refused = thief.delete("/v1/me/totp")
    dave = strongly(stage, DAVE, device.code(1))

    assert dave.delete("/v1/me/totp").status_code == 204

    assert (refused.status_code, refused.json["code"]) == (403, "mfa.needed")
    assert [caller.get("/v1/me").status_code for caller in (thief, other)] == [401, 401]
    me = dave.get("/v1/me").json
    assert (me["second_factor"], me["session"]["amr"]) == (False, ["pwd"])
    assert sign_in(stage, DAVE).status_code == 200
    assert stage.query("SELECT count(*) FROM recovery_codes") == [(0,)]


def test_a_factor_that_was_only_begun_may_be_dropped_by_anybody_it_is_of(stage: Stage) -> None:
    dave, other = stage.as_(DAVE), stage.as_(DAVE)
    dave.post("/v1/me/totp", json=PROOF)

    assert dave.delete("/v1/me/totp").status_code == 204
    again = dave.delete("/v1/me/totp")

    assert (again.status_code, again.json["code"]) == (404, "totp.not_found")
    assert other.get("/v1/me").status_code == 200


def test_an_administrator_removes_a_lost_factor_and_every_session_ends(
    stage: Stage, frozen: Traveller
) -> None:
    dave = stage.as_(DAVE)
    device = enrolled(dave)
    strong = strongly(stage, DAVE, device.code(1))

    answer = stage.as_(ALICE).delete(f"/v1/users/{stage.user_id(DAVE)}/totp")

    assert answer.status_code == 204
    assert [caller.get("/v1/me").json["code"] for caller in (dave, strong)] == ["token.revoked"] * 2
    assert sign_in(stage, DAVE).status_code == 200
    (event,) = stage.events("totp.removed")
    assert (event["actor_name"], event["target_name"]) == ("alice", "dave")


def test_bob_cannot_take_alices_factor_from_her(stage: Stage, frozen: Traveller) -> None:
    device = enrolled(stage.as_(ALICE))

    answer = stage.as_(BOB).delete(f"/v1/users/{stage.user_id(ALICE)}/totp")

    assert (answer.status_code, answer.json["code"]) == (403, "target.stronger")
    assert sign_in(stage, ALICE, device.code(1)).status_code == 200


def test_the_administrators_way_is_no_way_around_for_ones_own_factor(stage: Stage) -> None:
    thief = stage.as_(ALICE)
    enrolled(thief)

    answer = thief.delete(f"/v1/users/{stage.user_id(ALICE)}/totp")

    assert (answer.status_code, answer.json["code"]) == (403, "target.self")


def test_a_factor_that_nobody_has_and_a_user_that_nobody_is(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    assert alice.delete(f"/v1/users/{stage.user_id(DAVE)}/totp").json["code"] == "totp.not_found"
    nobody = "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"
    assert alice.delete(f"/v1/users/{nobody}/totp").json["code"] == "user.not_found"


def test_nothing_is_left_of_the_factor_of_somebody_who_is_deleted(stage: Stage) -> None:
    enrolled(stage.as_(DAVE))

    assert stage.as_(ALICE).delete_now(f"/v1/users/{stage.user_id(DAVE)}").status_code == 204

    assert (
        stage.query("SELECT count(*) FROM totp_factors")
        == stage.query("SELECT count(*) FROM recovery_codes")
        == [(0,)]
    )
