"""What was good comes back when it is no more: after each way of ending, on three routes of each kind, with one answer for all ways."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import time_machine

from rbac_api.capabilities.sessions.errors import TokenReused
from rbac_api.guard.errors import TokenExpired, TokenInvalid, TokenRevoked
from tests.attacks.browsers import ACCESS, cookie
from tests.attacks.targets import Answer, Environ, Target, bearing, facts, honest, shoot, targets
from tests.attacks.test_mixed_kinds import form, refresh_with, setup
from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import ACCOUNTS, as_robot, ask_token, error, make_robot
from tests.capabilities.second_factor.device import enrolled, sign_in
from tests.cast import ALICE, BOB, CAROL, NEW_PASSWORD, PASSWORD

CLAIMED = 12  # ways in which a session ends, each tried with its token in the header and in the cookie on twelve routes
Way = Callable[["Scene"], Any]


@dataclass
class Scene:
    """Bob, whose tokens somebody has copied; another session of his; and Alice."""

    stage: Stage
    alice: Caller
    bob: Caller
    elsewhere: Caller

    @property
    def bobs_path(self) -> str:
        return f"/v1/users/{self.stage.user_id(BOB)}"

    @property
    def session(self) -> str:
        found: str = self.bob.tokens["session_id"]
        return found

    @property
    def refresh(self) -> str:
        found: str = self.bob.tokens["refresh_token"]
        return found


def scene(stage: Stage) -> Scene:
    stage.reset()
    return Scene(stage, stage.as_(ALICE), stage.as_(BOB), stage.as_(BOB))


def fleet(scene: Scene) -> Any:
    body = {"filter": {"user": "bob"}, "expected_count": 2, "reason": "stolen"}
    return scene.alice.post("/v1/sessions/revocations", json=body)


def spend_setup(scene: Scene) -> Any:
    token = scene.alice.post(f"{scene.bobs_path}/password-reset").json["token"]
    return scene.stage.caller().post(
        "/v1/auth/password-setup", json={"token": token, "new_password": NEW_PASSWORD}
    )


def disabled_and_back(scene: Scene) -> Any:
    scene.alice.patch_now(scene.bobs_path, {"status": "disabled"})
    return scene.alice.patch_now(scene.bobs_path, {"status": "active"})


def logout_by_cookie(scene: Scene) -> Any:
    csrf = scene.stage.guard.cross_site.token(scene.session)
    sent = {"HTTP_COOKIE": f"{ACCESS}={scene.bob.tokens['access_token']}", "HTTP_X_CSRF_TOKEN": csrf}
    client = scene.stage.app.test_client(use_cookies=False)  # whose jar would stand in the way of ours
    return client.post("/v1/auth/logout", environ_overrides=sent)


def change_password(scene: Scene) -> Any:
    body = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    return scene.elsewhere.post("/v1/me/password", json=body)


WAYS: dict[str, Way] = {
    "logout": lambda scene: scene.bob.post("/v1/auth/logout"),
    "logout by cookie": logout_by_cookie,
    "ended from another session": lambda scene: scene.elsewhere.delete(f"/v1/me/sessions/{scene.session}"),
    "revoked": lambda scene: scene.alice.delete(f"/v1/sessions/{scene.session}"),
    "all of his revoked": lambda scene: scene.alice.delete(f"{scene.bobs_path}/sessions"),
    "revoked with a fleet": fleet,
    "password changed elsewhere": change_password,
    "password reset": lambda scene: scene.alice.post(f"{scene.bobs_path}/password-reset"),
    "password set": spend_setup,
    "disabled": lambda scene: scene.alice.patch_now(scene.bobs_path, {"status": "disabled"}),
    "disabled and enabled again": disabled_and_back,
    "deleted": lambda scene: scene.alice.delete_now(scene.bobs_path),
    "refresh token revoked": lambda scene: scene.alice.post("/oauth/revoke", data={"token": scene.refresh}),
}


def presented(token: str) -> list[Environ]:
    """In the header, and in a browser's cookie."""
    return [bearing(token), {"HTTP_COOKIE": f"{ACCESS}={token}"}]


def everywhere(stage: Stage, token: str) -> list[Answer]:
    """What a token gets on three routes of each kind; by cookie on those where cookies count."""
    header, by_cookie = presented(token)
    aims = targets(stage)
    browsers = [aim for aim in aims if not aim.path.startswith("/oauth/")]
    return [shoot(stage, aim, header) for aim in aims] + [shoot(stage, aim, by_cookie) for aim in browsers]


def exchanged(stage: Stage, token: str) -> list[Answer]:
    """What a refresh token gets wherever it can be put."""
    return [
        shoot(stage, refresh_with(), bearing(token)),
        shoot(stage, refresh_with(refresh_token=token), {}),
        shoot(stage, form(grant_type="refresh_token", refresh_token=token), {}),
    ]


def test_after_every_way_of_ending_the_answer_is_the_same(stage: Stage) -> None:
    found: dict[str, tuple[list[Answer], list[Answer]]] = {}

    for name, end in WAYS.items():
        there = scene(stage)
        assert honest(stage, bearing(there.bob.tokens["access_token"]), targets(stage)[:2]) == [], name
        assert end(there).status_code in (200, 201, 204), name
        before = facts(stage)
        found[name] = everywhere(stage, there.bob.tokens["access_token"]), exchanged(stage, there.refresh)
        assert facts(stage) == before, name

    first, refreshed = found["logout"]
    assert {answer.status for answer in first} == {401}
    assert {answer.says for answer in first} == {TokenRevoked.default_detail}
    assert [answer.status for answer in refreshed] == [401, 401, 400]
    assert [name for name, (answers, _) in found.items() if answers != first] == []
    assert [name for name, (_, answers) in found.items() if answers != refreshed] == []


def test_there_are_as_many_ways_as_are_said() -> None:
    assert len(WAYS) >= CLAIMED


def test_an_access_token_alone_can_be_revoked_and_its_session_lives_on(stage: Stage) -> None:
    there = scene(stage)
    token = there.bob.tokens["access_token"]

    assert there.bob.post("/oauth/revoke", data={"token": token}).status_code == 200
    answers = everywhere(stage, token)

    assert {(answer.status, answer.says) for answer in answers} == {(401, TokenRevoked.default_detail)}
    assert shoot(stage, refresh_with(), bearing(there.refresh)).status == 200


def test_after_its_key_was_withdrawn_a_token_is_as_good_as_nonsense(stage: Stage) -> None:
    there = scene(stage)
    kid = stage.guard.keyring.active().kid
    assert there.alice.post("/v1/keys/rotate", json={"emergency": True}).status_code == 201
    assert honest(stage, bearing(there.bob.tokens["access_token"]), targets(stage)[:2]) == []
    fresh = stage.as_(ALICE)
    assert fresh.delete(f"/v1/keys/{kid}").status_code == 204

    old, nonsense = everywhere(stage, there.bob.tokens["access_token"]), everywhere(stage, "nonsense")

    assert old == nonsense
    assert {answer.says for answer in old} == {TokenInvalid.default_detail}
    assert exchanged(stage, there.refresh) == exchanged(stage, "nonsense")
    assert honest(stage, bearing(fresh.tokens["access_token"]), targets(stage)[:2]) == []


def test_when_its_time_is_up_a_token_is_late_everywhere(stage: Stage, frozen: time_machine.Traveller) -> None:
    there = scene(stage)
    frozen.shift(901)
    late = everywhere(stage, there.bob.tokens["access_token"])
    frozen.shift(3600)
    too_late = exchanged(stage, there.refresh)

    assert {(answer.status, answer.says) for answer in late} == {(401, TokenExpired.default_detail)}
    assert [(answer.status, answer.says) for answer in too_late[:2]] == [
        (401, TokenExpired.default_detail)
    ] * 2
    assert too_late[2].status == 400


@pytest.mark.parametrize("generations", [1, 2, 5])
def test_a_spent_refresh_token_ends_its_session_and_no_other(
    stage: Stage, frozen: time_machine.Traveller, generations: int
) -> None:
    there = scene(stage)
    copied, newest = there.refresh, there.bob.tokens
    for _ in range(generations):
        newest = shoot(stage, refresh_with(refresh_token=newest["refresh_token"]), {}).body
    frozen.shift(11)

    answers = exchanged(stage, copied)

    assert (answers[0].status, answers[0].says) == (401, TokenReused.default_detail)
    assert {answer.says for answer in everywhere(stage, newest["access_token"])} == {
        TokenRevoked.default_detail
    }
    assert [answer.status for answer in exchanged(stage, newest["refresh_token"])] == [401, 401, 400]
    assert there.elsewhere.get("/v1/me").status_code == 200


def test_a_program_whose_secret_was_withdrawn_is_out_with_all_its_tokens(stage: Stage) -> None:
    alice, robot = stage.as_(ALICE), make_robot(stage, "auditor")
    program = as_robot(stage, robot)
    assert program.get("/v1/users").status_code == 200

    assert alice.delete(f"{ACCOUNTS}/{robot.id}/secrets/{robot.secret_id}").status_code == 204
    answers = everywhere(stage, program.tokens["access_token"])

    assert {(answer.status, answer.says) for answer in answers} == {(401, TokenRevoked.default_detail)}
    assert error(ask_token(stage, robot)) == (401, "invalid_client")


def test_what_is_good_once_is_good_once(stage: Stage) -> None:
    alice, device = stage.as_(ALICE), enrolled(stage.as_(CAROL))
    token = alice.post(f"/v1/users/{stage.user_id(BOB)}/password-reset").json["token"]
    code, recovery = device.code(1), device.recovery_codes[0]

    setups = [shoot(stage, setup(token), {}).status for _ in range(2)]
    codes = [sign_in(stage, CAROL, one).status_code for one in (recovery, recovery, code, code)]

    assert setups == [204, 401]
    assert codes == [200, 401, 200, 401]


def test_a_csrf_token_dies_with_its_session(stage: Stage) -> None:
    body = {"username": "bob", "password": PASSWORD}
    browser = stage.caller().post("/v1/auth/login?mode=cookie", json=body)
    sent = {
        "HTTP_COOKIE": f"{ACCESS}={cookie(browser, ACCESS)}",
        "HTTP_X_CSRF_TOKEN": browser.json["csrf_token"],
    }
    change = Target("write", "PATCH", "/v1/me", 200, {"display_name": "Bob"})
    other = stage.caller().post("/v1/auth/login?mode=cookie", json=body)
    mine = {**sent, "HTTP_COOKIE": f"{ACCESS}={cookie(other, ACCESS)}"}

    assert shoot(stage, change, sent).status == 200
    assert shoot(stage, change, mine).status == 403, "each session has its own"
    assert shoot(stage, Target("x", "POST", "/v1/auth/logout", 204), sent).status == 204
    assert shoot(stage, change, sent).says == TokenRevoked.default_detail


def test_a_new_password_does_not_get_round_the_second_factor(stage: Stage) -> None:
    """Mallory reads Carol's mail, and her setup token in it."""
    alice, device = stage.as_(ALICE), enrolled(stage.as_(CAROL))
    token = alice.post(f"/v1/users/{stage.user_id(CAROL)}/password-reset").json["token"]
    assert shoot(stage, setup(token), {}).status == 204

    without = sign_in(stage, CAROL, password=NEW_PASSWORD)
    with_it = sign_in(stage, CAROL, device.code(1), password=NEW_PASSWORD)

    assert (without.status_code, without.json["code"]) == (401, "mfa.required")
    assert with_it.status_code == 200
