"""Mallory forges tokens and tries each on three routes of each kind: every one is refused with the answer that plain nonsense gets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rbac_api.guard.errors import TokenInvalid, TokenRevoked
from tests.attacks.conftest import OpenNode
from tests.attacks.targets import (
    UNKNOWN,
    Case,
    Target,
    bearing,
    facts,
    honest,
    shoot,
    targets,
    unlike,
)
from tests.builders import Stage
from tests.capabilities.oauth.robot import as_robot, make_robot
from tests.cast import ALICE, CAROL, DAVE
from tests.guard.forgery import Forgery, Model, forgeries, unb64

CLAIMED = 690
LONGEST_FORM = 60_000
NONSENSE: Case = ("nonsense", bearing("nonsense"))


def corpus(model: Model) -> list[Forgery]:
    """The guard's own corpus, and what second factors, service accounts and other issuers have added."""
    found = [*forgeries(model), *_factors(model), *_strange_members(model)]
    return list({token: (name, token) for name, token in found}.values())


def _factors(model: Model) -> Iterator[Forgery]:
    """Signed with the real key: a second factor that is claimed, but not as this service writes it."""
    for value in (
        [], ["otp"], ["pwd"], ["otp", "pwd"], ["pwd", "otp", "otp"], ["pwd", "otp", "hwk"], ["pwd", "OTP"], "otp", "pwd otp",
        None, True, 1, {}, {"otp": True}, [["pwd", "otp"]], ["pwd", "otp\0"], ["pwd", None],
    ):  # fmt: skip
        yield f"amr {value!r}", model.with_claims(amr=value)
    written, twice = unb64(model.parts[1]).decode()[:-1], ',"amr":["pwd","otp"]' * 2
    yield "amr twice", model.signed(payload=f"{written}{twice}}}")
    for name, value in (("acr", "urn:mfa"), ("AMR", ["pwd", "otp"]), ("mfa", True), ("otp", True)):
        yield f"{name} added", model.with_claims(**{name: value})


def _strange_members(model: Model) -> Iterator[Forgery]:
    """Signed with the real key: what other services put into tokens, and here would be something that nobody looks at."""
    for name, value in (
        ("act", {"sub": UNKNOWN}), ("cnf", {"jkt": "x"}), ("groups", ["admin"]), ("entitlements", ["*"]), ("permissions", ["*"]),
        ("azp", "x"), ("events", {}), ("toe", 1), ("authorization_details", []), ("may_act", {}), ("token_use", "access"), ("version", 1),
    ):  # fmt: skip
        yield f"{name} added", model.with_claims(**{name: value})
    if "gen" not in model.payload:
        yield "gen added", model.with_claims(gen=1)
    for name in ("enc", "p2c", "p2s", "iv", "tag", "apu", "epk", "ppt", "iss", "aud", "sub", "x5t#S256"):
        yield f"header member {name}", model.with_header(**{name: 1})
    yield "p2c a billion", model.with_header(p2c=10**9, p2s="x")


def model_of(stage: Stage, token: str) -> Model:
    return Model(token, stage.guard.keyring.active())


def presented(forged: list[Forgery]) -> list[Case]:
    return [NONSENSE, *((name, bearing(token)) for name, token in forged)]


def test_the_corpus_is_as_large_as_it_is_said_to_be(stage: Stage) -> None:
    forged = corpus(model_of(stage, stage.as_(ALICE).tokens["access_token"]))
    kinds = {name.partition(":")[0] for name, _ in forged}

    assert len({token for _, token in forged}) == len(forged) >= CLAIMED
    assert {
        "algorithms",
        "key_confusion",
        "kids",
        "hostile_headers",
        "signatures",
        "edited",
        "extensions",
    } <= kinds
    assert {"moments", "claims", "contents", "duplicates", "spellings", "monsters", "types"} <= kinds


def test_no_forged_access_token_passes_three_routes_of_any_kind(stage: Stage) -> None:
    alice, aims = stage.as_(ALICE), targets(stage)
    good = alice.tokens["access_token"]
    forged = corpus(model_of(stage, good))
    before = facts(stage)

    assert unlike(stage, aims, presented(forged), TokenInvalid) == []

    assert facts(stage) == before
    assert honest(stage, bearing(good), aims) == []


def test_no_forged_token_of_a_service_account_passes_either(stage: Stage) -> None:
    robot = as_robot(stage, make_robot(stage, "auditor"))
    good, aims = robot.tokens["access_token"], targets(stage)[:3]
    forged = corpus(model_of(stage, good))
    before = facts(stage)

    assert unlike(stage, aims[::2], presented(forged), TokenInvalid) == []

    assert facts(stage) == before
    assert shoot(stage, aims[0], bearing(good)).status == 200


def refresh_places() -> list[tuple[str, Any]]:
    """Where a refresh token goes: as Bearer, in a JSON body, in a form."""
    return [
        ("bearer", lambda token: (Target("refresh", "POST", "/v1/auth/refresh", 200), bearing(token))),
        (
            "body",
            lambda token: (Target("refresh", "POST", "/v1/auth/refresh", 200, {"refresh_token": token}), {}),
        ),
        (
            "form",
            lambda token: (
                Target(
                    "refresh",
                    "POST",
                    "/oauth/token",
                    200,
                    form={"grant_type": "refresh_token", "refresh_token": token},
                ),
                {},
            ),
        ),
    ]


def test_no_forged_refresh_token_is_exchanged_wherever_it_is_put(stage: Stage) -> None:
    good = stage.as_(ALICE).tokens["refresh_token"]
    forged = corpus(model_of(stage, good))
    before = facts(stage)

    for name, place in refresh_places():
        fitting = [one for one in forged if name == "bearer" or _fits_a_body(one[1])]
        expected = shoot(stage, *place("nonsense"))
        answers = [(each, shoot(stage, *place(token))) for each, token in fitting]
        assert expected.status == (400 if name == "form" else 401)
        assert [(each, answer) for each, answer in answers if answer != expected] == []
        assert len(fitting) >= CLAIMED - 60

    assert facts(stage) == before
    assert shoot(stage, *refresh_places()[0][1](good)).status == 200


def _fits_a_body(token: str) -> bool:
    """Whether a field of that length and those characters is looked at at all; the others are 422 by the schema."""
    return 0 < len(token) <= 8192 and "\0" not in token


def about(token: str, path: str = "/oauth/introspect") -> Target:
    return Target("protocol", "POST", path, 200, form={"token": token})


def test_asking_about_a_forgery_or_revoking_it_tells_and_does_nothing(stage: Stage) -> None:
    alice, carol = stage.as_(ALICE), stage.as_(CAROL)
    me, good = bearing(alice.tokens["access_token"]), carol.tokens["access_token"]
    forged = [(name, token) for name, token in corpus(model_of(stage, good)) if 0 < len(token) < LONGEST_FORM]
    before = facts(stage)

    told = {name: shoot(stage, about(token), me) for name, token in forged}
    taken = {name: shoot(stage, about(token, "/oauth/revoke"), me).status for name, token in forged}

    assert {name: answer for name, answer in told.items() if answer.body != {"active": False}} == {}
    assert len(set(map(repr, told.values()))) == 1
    assert set(taken.values()) == {200}
    assert facts(stage) == before
    assert shoot(stage, about(good), me).body["active"] is True


def test_a_good_token_of_a_foreign_issuer_or_audience_is_as_good_as_nonsense(
    stage: Stage, node: OpenNode
) -> None:
    """The same database, the same keys, the same account: only the name of the service differs."""
    others = [
        node(issuer="https://other.example"),
        node(issuer="http://127.0.0.1:8000/"),
        node(issuer="https://127.0.0.1:8000"),
        node(audience="other-api"),
        node(audience="rbac-api "),
        node(audience="http://127.0.0.1:8000/rbac-api"),
    ]
    foreign = [each.as_(ALICE).tokens["access_token"] for each in others]
    cases = [
        NONSENSE,
        *((each.settings.issuer_url, bearing(token)) for each, token in zip(others, foreign, strict=True)),
    ]

    assert unlike(stage, targets(stage), cases, TokenInvalid) == []
    assert [
        honest(each, bearing(token), targets(each)[:1]) for each, token in zip(others, foreign, strict=True)
    ] == [[]] * 6


def test_a_thief_of_the_key_still_needs_a_session_that_lives(stage: Stage) -> None:
    """Signed with the real key, in every way as this service writes it; but the session it names is not, or is somebody else's."""
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    model = model_of(stage, dave.tokens["access_token"])
    forged = [
        ("an unknown session", model.with_claims(sid=UNKNOWN)),
        ("an unknown user", model.with_claims(sub=UNKNOWN)),
        ("somebody else's session", model.with_claims(sid=alice.tokens["session_id"])),
        ("Alice in Dave's session", model.with_claims(sub=stage.user_id(ALICE))),
        ("nobody in no session", model.with_claims(sub=UNKNOWN, sid=UNKNOWN)),
    ]

    assert unlike(stage, targets(stage), presented(forged)[1:], TokenRevoked) == []


def test_a_thief_of_the_key_gains_no_right_by_what_he_writes_into_a_token(stage: Stage) -> None:
    dave, aims = stage.as_(DAVE), targets(stage)
    model = model_of(stage, dave.tokens["access_token"])
    tempting = (
        {"roles": ["admin"]},
        {"roles": ["admin", "auditor", "role-manager"], "av": 1 << 39},
        {"amr": ["pwd", "otp"], "roles": ["admin"]},
        {"auth_time": model.payload["iat"], "client_id": "operator", "roles": ["admin"]},
        {"exp": model.payload["exp"] + 10**8, "roles": ["admin"]},
    )
    before = facts(stage)

    statuses = {
        (str(target), shoot(stage, target, bearing(model.with_claims(**claims))).status)
        for claims in tempting
        for target in aims
        if target.path not in ("/v1/me", "/v1/me/sessions", "/oauth/revoke")  # open to Dave, too
    }

    assert {status for target, status in statuses if "/oauth/" not in target} == {403}
    assert {status for target, status in statuses if "/oauth/" in target} == {401}
    assert facts(stage) == before
