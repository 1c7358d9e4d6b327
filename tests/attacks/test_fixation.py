"""Mallory chooses an id beforehand and waits for somebody to sign in under it: nobody ever does."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from tests.attacks.browsers import ACCESS, REFRESH
from tests.attacks.targets import UNKNOWN, Environ, Target, bearing, shoot, targets
from tests.builders import Stage
from tests.capabilities.oauth.robot import claims, make_robot
from tests.cast import ALICE, BOB, CAROL, DAVE, PASSWORD, Character

CLAIMED = 100  # ways of telling the service which id to take, each at signing in, refreshing and a program's sign-in
NAMES = (
    "session_id", "sid", "jti", "sub", "session", "id", "token_id", "family", "family_id", "auth_time", "generation", "gen", "kid",
    "access_token", "user_id", "JSESSIONID", "PHPSESSID", "connect.sid", "csrf_token", "amr", "roles", "scope",
)  # fmt: skip
COOKIES = (
    "session",
    "sid",
    "JSESSIONID",
    "__Host-session",
    ACCESS,
    REFRESH,
    "rbac-access",
    "__Secure-rbac-access",
    "csrf_token",
)
HEADERS = (
    "X-Session-ID", "X-Session-Token", "X-CSRF-TOKEN", "X-Request-ID", "X-JTI", "X-Auth-Token", "Idempotency-Key", "X-Correlation-ID",
    "X-Device-ID", "X-Client-ID", "X-SID", "If-Match",
)  # fmt: skip
LOGIN = {"username": "alice", "password": PASSWORD}


def sign_in(body: Mapping[str, Any] = LOGIN, query: str = "") -> Target:
    return Target("login", "POST", f"/v1/auth/login{query}", 200, dict(body))


def ids(tokens: Mapping[str, Any]) -> set[str]:
    """Every id that signing in has made."""
    found = {str(claims(tokens["access_token"])[name]) for name in ("sid", "jti")}
    if "refresh_token" in tokens:
        found.add(str(claims(tokens["refresh_token"])["jti"]))
    return found


def environs(values: tuple[str, ...]) -> list[Environ]:
    """Each way of suggesting each value outside the body."""
    headers = [{"HTTP_" + name.upper().replace("-", "_"): value} for name, value in product(HEADERS, values)]
    return [*headers, *({"HTTP_COOKIE": f"{name}={value}"} for name, value in product(COOKIES, values))]


def test_the_corpus_is_as_large_as_it_is_said_to_be() -> None:
    assert 2 * len(NAMES) + len(environs(("a", "b", "c"))) >= CLAIMED


def test_no_id_is_taken_from_the_body_or_the_address(stage: Stage) -> None:
    mallory = stage.as_(DAVE).tokens
    before = stage.query("SELECT count(*) FROM sessions")

    bodies = [shoot(stage, sign_in({**LOGIN, name: mallory["session_id"]}), {}) for name in NAMES]
    queries = [shoot(stage, sign_in(query=f"?{name}={mallory['session_id']}"), {}) for name in NAMES]

    assert {answer.status for answer in [*bodies, *queries]} == {422}
    assert stage.query("SELECT count(*) FROM sessions") == before
    assert shoot(stage, sign_in(), {}).status == 200


def test_no_id_is_taken_from_a_header_or_a_cookie(stage: Stage) -> None:
    mallory = stage.as_(DAVE).tokens
    chosen = (mallory["session_id"], mallory["access_token"], UNKNOWN)
    known, alice = {UNKNOWN, *ids(mallory)}, stage.user_id(ALICE)

    for environ in environs(chosen):
        answer = shoot(stage, sign_in(), environ)
        assert answer.status == 200, environ
        fresh = ids(answer.body)
        assert len(fresh) == 3
        assert not fresh & known, environ
        assert claims(answer.body["access_token"])["sub"] == alice
        known |= fresh

    assert shoot(stage, targets(stage)[1], bearing(mallory["access_token"])).body["username"] == "dave"


def test_signing_in_within_a_session_begins_another_and_leaves_the_first_to_its_owner(stage: Stage) -> None:
    mallory = stage.as_(DAVE)
    sent = {
        **bearing(mallory.tokens["access_token"]),
        "HTTP_COOKIE": f"{ACCESS}={mallory.tokens['access_token']}",
    }

    alice = shoot(stage, sign_in(query="?mode=cookie"), sent).body

    assert alice["session_id"] != mallory.tokens["session_id"]
    assert mallory.get("/v1/me").json["username"] == "dave"
    assert claims(mallory.tokens["access_token"])["sid"] not in ids_of(stage, ALICE)


def ids_of(stage: Stage, person: Character) -> list[str]:
    """The sessions of somebody."""
    found = stage.as_(person).get("/v1/me/sessions").json["items"]
    return [session["id"] for session in found]


def test_a_key_for_repetition_never_gives_one_person_anothers_tokens(stage: Stage) -> None:
    key: Environ = {"HTTP_IDEMPOTENCY_KEY": '"the-same-for-all"'}

    answers = [
        shoot(stage, sign_in({**LOGIN, "username": person.username}), key).body
        for person in (ALICE, BOB, CAROL, ALICE)
    ]

    assert len({answer["session_id"] for answer in answers}) == 4
    assert [claims(answer["access_token"])["sub"] for answer in answers] == [
        stage.user_id(person) for person in (ALICE, BOB, CAROL, ALICE)
    ]


def test_refreshing_keeps_what_it_must_and_takes_nothing_from_the_request(stage: Stage) -> None:
    mallory, tokens = stage.as_(DAVE).tokens, stage.as_(ALICE).tokens
    fixed = ("sub", "sid", "client_id", "auth_time", "aud", "iss")
    first, known = claims(tokens["access_token"]), ids(mallory) | ids(tokens) - {tokens["session_id"]}

    refused = [
        shoot(
            stage,
            Target(
                "refresh",
                "POST",
                "/v1/auth/refresh",
                200,
                {"refresh_token": tokens["refresh_token"], name: UNKNOWN},
            ),
            {},
        ).status
        for name in NAMES
    ]
    for environ in environs((mallory["session_id"],)):
        sent = Target("refresh", "POST", "/v1/auth/refresh", 200, {"refresh_token": tokens["refresh_token"]})
        tokens = shoot(stage, sent, environ).body
        renewed = claims(tokens["access_token"])
        assert {name: renewed[name] for name in fixed} == {name: first[name] for name in fixed}, environ
        assert not (ids(tokens) - {first["sid"]}) & known, environ
        known |= ids(tokens) - {first["sid"]}

    assert set(refused) == {422}


def test_a_program_gets_a_new_session_whatever_it_says(stage: Stage) -> None:
    robot, mallory = make_robot(stage, "auditor"), stage.as_(DAVE).tokens
    known, grant = {UNKNOWN, *ids(mallory)}, {"grant_type": "client_credentials", **robot.fields}
    forms = [{**grant, name: mallory["session_id"]} for name in NAMES if name != "scope"]

    for form in forms:
        answer = shoot(stage, Target("form", "POST", "/oauth/token", 200, form=form), {})
        assert answer.status == 200, form
        assert not ids(answer.body) & known
        assert claims(answer.body["access_token"])["sub"] == robot.id
        known |= ids(answer.body)

    assert (
        shoot(stage, Target("form", "POST", "/oauth/token", 200, form={**grant, "scope": "admin"}), {}).status
        == 400
    )


def test_nobody_signs_in_under_the_name_of_a_program(stage: Stage) -> None:
    """A service that knows programs by ``client_id`` would take Dave for the robot (RFC 9700 section 4.15)."""
    robot = make_robot(stage, "auditor")

    answer = shoot(stage, sign_in({**LOGIN, "username": "dave", "client_id": robot.id}), {})
    spelled = shoot(stage, sign_in({**LOGIN, "username": "dave", "client_id": robot.id.upper()}), {})

    assert [each.status for each in (answer, spelled) if each.status not in (401, 422)] == []
    assert shoot(stage, sign_in({**LOGIN, "username": "dave", "client_id": "my-app"}), {}).status == 200
