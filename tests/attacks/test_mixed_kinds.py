"""Everything that opens something, put where something else belongs: each thing opens its own place and no other.

A thing is whatever the service hands out; a place is a request with a hole in it.  Each thing goes into each hole that is not its own,
and gets the answer that plain nonsense gets there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest

from tests.attacks.browsers import ACCESS, REFRESH, cookie
from tests.attacks.conftest import OpenNode
from tests.attacks.targets import Environ, Target, bearing, facts, shoot, targets
from tests.builders import Stage
from tests.capabilities.oauth.robot import Robot, claims, make_robot, raw_basic
from tests.capabilities.second_factor.device import enrolled
from tests.cast import ALICE, BOB, CAROL, DAVE, NEW_PASSWORD, PASSWORD

CLAIMED = 960  # pairs of a thing and a place that is not its own, on each engine
ACCESSES, REFRESHES = ("access token", "access cookie"), ("refresh token", "refresh cookie")


@dataclass(frozen=True)
class Place:
    """A request for each thing put into it, what belongs there, and what that gets."""

    name: str
    fill: Callable[[str], tuple[Target, Environ]]
    owns: tuple[str, ...] = ()
    good: int = 200


def things(stage: Stage, robot: Robot) -> dict[str, str]:
    """One of each kind, all of them good."""
    alice, feed = stage.as_(ALICE), stage.caller().get("/.well-known/revocations").text
    login = {"username": "alice", "password": PASSWORD}
    browser = stage.caller().post("/v1/auth/login?mode=cookie", json=login)
    device = enrolled(stage.as_(CAROL))
    access, refresh = alice.tokens["access_token"], alice.tokens["refresh_token"]
    return {
        "access token": access,
        "refresh token": refresh,
        "access cookie": cookie(browser, ACCESS),
        "refresh cookie": cookie(browser, REFRESH),
        "CSRF token": browser.json["csrf_token"],
        "session id": alice.tokens["session_id"],
        "id of an access token": claims(access)["jti"],
        "id of a refresh token": claims(refresh)["jti"],
        "setup token": alice.post(f"/v1/users/{stage.user_id(DAVE)}/password-reset").json["token"],
        "client secret": robot.secret,
        "client id": robot.id,
        "id of a client secret": robot.secret_id,
        "revocation feed": feed,
        "feed cursor": claims(feed)["cursor"],
        "list cursor": alice.get("/v1/users?limit=1").json["next"],
        "key id": stage.guard.keyring.active().kid,
        "user id": stage.user_id(ALICE),
        "password": PASSWORD,
        "TOTP secret": device.secret,
        "TOTP code": device.code(1),
        "recovery code": device.recovery_codes[0],
        "ETag": alice.get("/v1/roles/admin").headers["ETag"].strip('"'),
        "instance secret": stage.settings.secret_key,
        "hash of a password": stage.query("SELECT password_hash FROM users WHERE username = 'alice'")[0][0],
        "access claims with the other's signature": ".".join([*access.split(".")[:2], refresh.split(".")[2]]),
        "refresh claims under the other's header": ".".join([access.split(".")[0], *refresh.split(".")[1:]]),
        "signature of a refresh token": refresh.split(".")[2],
    }


def refresh_with(**body: str) -> Target:
    return Target("refresh", "POST", "/v1/auth/refresh", 200, body or None)


def form(**fields: str) -> Target:
    return Target("form", "POST", "/oauth/token", 200, form=fields)


def login(username: str, password: str, **more: str) -> Target:
    body = {"username": username[:256], "password": password, **more}
    return Target("login", "POST", "/v1/auth/login", 200, body)


def setup(token: str) -> Target:
    body = {"token": token[:256], "new_password": NEW_PASSWORD}
    return Target("setup", "POST", "/v1/auth/password-setup", 204, body)


def basic(client_id: str, secret: str) -> Environ:
    return {"HTTP_AUTHORIZATION": raw_basic(f"{client_id}:{secret}".encode())["Authorization"]}


def places(stage: Stage, held: Mapping[str, str]) -> list[Place]:
    """Every place where something that opens may be put."""
    aims, robot, secret = targets(stage), held["client id"], held["client secret"]
    csrf, mine = (
        {"HTTP_X_CSRF_TOKEN": held["CSRF token"]},
        {"HTTP_COOKIE": f"{ACCESS}={held['access cookie']}"},
    )
    change, grant = Target("write", "PATCH", "/v1/me", 200, {"display_name": "A"}), "client_credentials"

    def program(client_id: str, client_secret: str) -> tuple[Target, Environ]:
        return form(grant_type=grant, client_id=client_id, client_secret=client_secret), {}

    def header(aim: Target) -> Callable[[str], tuple[Target, Environ]]:
        return lambda text: (aim, bearing(text))

    def cookies(aim: Target) -> Callable[[str], tuple[Target, Environ]]:
        return lambda text: (aim, {"HTTP_COOKIE": f"{ACCESS}={text}", **csrf})

    return [
        *(Place(f"bearer at {aim}", header(aim), ACCESSES) for aim in aims),
        *(Place(f"cookie at {aim}", cookies(aim), ACCESSES) for aim in aims[:9]),
        Place("CSRF token", lambda text: (change, {**mine, "HTTP_X_CSRF_TOKEN": text}), ("CSRF token",)),
        Place("header beside a good cookie", lambda text: (aims[1], {**mine, **bearing(text)}), ACCESSES),
        Place("refresh cookie", lambda text: (refresh_with(), {"HTTP_COOKIE": f"{REFRESH}={text}", **csrf}), REFRESHES[::-1]),
        Place("refresh by bearer", lambda text: (refresh_with(), bearing(text)), REFRESHES),
        Place("refresh in the body", lambda text: (refresh_with(refresh_token=text), {}), REFRESHES),
        Place("refresh in a form", lambda text: (form(grant_type="refresh_token", refresh_token=text), {}), REFRESHES),
        Place("client secret in a form", lambda text: program(robot, text), ("client secret",)),
        Place("client id in a form", lambda text: program(text, secret), ("client id",)),
        Place("client secret by Basic", lambda text: (form(grant_type=grant), basic(robot, text)), ("client secret",)),
        Place("client id by Basic", lambda text: (form(grant_type=grant), basic(text, secret)), ("client id",)),
        Place("bearer where a client is asked for", lambda text: (form(grant_type=grant), bearing(text))),
        Place("password", lambda text: (login("bob", text), {}), ("password",)),
        Place("password of nobody", lambda text: (login("nobody", text), {})),
        Place("password of a service account", lambda text: (login("invoice-robot", text), {})),
        Place("username", lambda text: (login(text, PASSWORD), {})),
        Place("second factor", lambda text: (login("carol", PASSWORD, otp=text[:64]), {}), ("TOTP code", "recovery code")),
        Place("setup token", lambda text: (setup(text), {}), ("setup token",), 204),
    ]  # fmt: skip


@pytest.fixture
def patient(stage: Stage, node: OpenNode) -> Stage:
    """A node that locks no account after a few failures: here the locked door must be the thing itself."""
    return node(signin_free_failures=100, signin_lock_failures=100)


def test_nothing_opens_a_place_that_is_not_its_own(patient: Stage) -> None:
    held = things(patient, make_robot(patient, "auditor"))
    before, wrong, count = facts(patient), [], 0

    for place in places(patient, held):
        expected = shoot(patient, *place.fill("nonsense"))
        assert expected.status in (400, 401, 403), place.name
        for name, thing in held.items():
            if name not in place.owns:
                count += 1
                answer = shoot(patient, *place.fill(thing))
                wrong += [f"{name} in {place.name}: {answer}, not {expected}"] if answer != expected else []

    assert wrong == []
    assert count >= CLAIMED
    assert facts(patient) == before


def test_each_opens_its_own(patient: Stage) -> None:
    held = things(patient, make_robot(patient, "auditor"))
    own = [
        place
        for place in places(patient, held)
        if place.owns and not place.name.startswith(("bearer", "cookie"))
    ]

    answers = {place.name: shoot(patient, *place.fill(held[place.owns[0]])).status for place in own}
    reading = shoot(patient, targets(patient)[1], bearing(held["access cookie"])).status

    # The refresh token was spent by the first of the places that take it; within ten seconds it has the same successor again.
    assert answers == {place.name: place.good for place in own}
    assert reading == 200


def test_only_tokens_that_are_good_where_they_belong_are_active(patient: Stage) -> None:
    held = things(patient, make_robot(patient, "auditor"))
    me = bearing(patient.as_(ALICE).tokens["access_token"])

    asked = {
        name: shoot(patient, Target("protocol", "POST", "/oauth/introspect", 200, form={"token": thing}), me)
        for name, thing in held.items()
    }

    active = {name for name, answer in asked.items() if answer.body.get("active")}
    assert active == {*ACCESSES, *REFRESHES}
    assert {repr(answer) for name, answer in asked.items() if name not in active} == {
        repr(asked["session id"])
    }


@pytest.mark.parametrize(
    "where", ["access_token", "token", "jwt", "bearer", "authorization", "session_id", "sid"]
)
def test_no_token_counts_in_the_address(stage: Stage, where: str) -> None:
    token = stage.as_(BOB).tokens["access_token"]

    answers = [
        shoot(stage, Target("query", aim.method, f"{aim.path}?{where}={token}", 0, aim.json, aim.form), {})
        for aim in targets(stage)
    ]

    assert {answer.status for answer in answers} <= {400, 401}
