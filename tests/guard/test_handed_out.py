"""What was taken back stays so for as long as the tokens live that were handed out, whatever the settings are by then."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jwt
import pytest
from time_machine import Traveller

from rbac_api import clock
from rbac_api.guard.revocation import denylist as revocations
from rbac_api.guard.revocation.queries import delete_old_revocations
from tests.builders import Caller, OpenNode, Stage
from tests.capabilities.conftest import frozen as frozen  # noqa: PLC0414
from tests.capabilities.signin.crowd import claims
from tests.cast import ALICE, DAVE

HOUR = {"access_token_seconds": 3600, "refresh_token_seconds": 3600}
SHORT = {"access_token_seconds": 2, "refresh_token_seconds": 2}
ROOMS = Path(__file__).resolve().parents[2] / "rbac_api"


def feed(stage: Stage) -> dict[str, Any]:
    answer = stage.caller().client.get("/.well-known/revocations").text
    return jwt.decode(answer, options={"verify_signature": False})


def by_oauth(_stage: Stage, alice: Caller, dave: Caller) -> None:
    form = {"token": dave.tokens["access_token"]}
    assert alice.post("/oauth/revoke", data=form).status_code == 200


def by_ending(_stage: Stage, alice: Caller, dave: Caller) -> None:
    assert alice.delete(f"/v1/sessions/{dave.tokens['session_id']}").status_code == 204


def by_logout(stage: Stage, _alice: Caller, dave: Caller) -> None:
    assert stage.app.test_client().post("/v1/auth/logout", headers=dave.headers).status_code == 204


def by_withdrawal(_stage: Stage, alice: Caller, dave: Caller) -> None:
    kid = jwt.get_unverified_header(dave.tokens["access_token"])["kid"]
    assert alice.post("/v1/keys/rotate", json={"emergency": True}).status_code == 201
    assert alice.delete(f"/v1/keys/{kid}").status_code == 204


def listed(told: dict[str, Any], token: dict[str, Any], kid: str) -> bool:
    return token["jti"] in told["jtis"] or token["sid"] in told["sids"] or kid in told["kids"]


WAYS: list[Callable[[Stage, Caller, Caller], None]] = [by_oauth, by_ending, by_logout, by_withdrawal]


@pytest.mark.parametrize("way", WAYS)
def test_a_token_that_was_revoked_when_lifetimes_were_shorter_stays_so_until_its_own_end(
    stage: Stage, node: OpenNode, frozen: Traveller, way: Callable[[Stage, Caller, Caller], None]
) -> None:
    dave = node(**HOUR).as_(DAVE)
    short = node(**SHORT)
    way(short, short.as_(ALICE), dave)
    token, kid = (
        claims(dave.tokens["access_token"]),
        jwt.get_unverified_header(dave.tokens["access_token"])["kid"],
    )

    for seconds in (4, 56, 1800, 3600 - 1860 - 1):
        frozen.shift(seconds)
        there = short.caller()
        there.tokens = dave.tokens
        with short.database.writing() as connection:
            delete_old_revocations(connection, clock.now(), 100)
        short.guard.snapshot.forget()
        assert there.get("/v1/me").status_code == 401
        assert listed(feed(short), token, kid)


def test_roles_taken_away_are_told_until_the_last_token_that_names_them_has_expired(
    stage: Stage, node: OpenNode, frozen: Traveller
) -> None:
    node(**HOUR).as_(DAVE)
    short = node(**SHORT)
    alice, dave = short.as_(ALICE), stage.user_id(DAVE)
    assert alice.put(f"/v1/users/{dave}/roles/auditor").status_code in (200, 201)

    frozen.shift(3599)
    with short.database.writing() as connection:
        delete_old_revocations(connection, clock.now(), 100)

    assert dave in feed(short)["users"]


def test_a_session_can_be_ended_while_any_of_its_tokens_lives(
    stage: Stage, node: OpenNode, frozen: Traveller
) -> None:
    dave = node(**HOUR).as_(DAVE)
    short = node(**SHORT)
    body = {"refresh_token": dave.tokens["refresh_token"]}
    assert short.caller().post("/v1/auth/refresh", json=body).status_code == 200
    frozen.shift(60)
    assert dave.get("/v1/me").status_code == 200

    assert short.as_(ALICE).delete(f"/v1/sessions/{dave.tokens['session_id']}").status_code == 204

    assert dave.get("/v1/me").status_code == 401


def test_no_access_token_outlives_its_session(stage: Stage, node: OpenNode, frozen: Traveller) -> None:
    own = node(**HOUR)
    dave = own.as_(DAVE)
    body = {"refresh_token": dave.tokens["refresh_token"]}
    renewed = own.caller().post("/v1/auth/refresh", json=body).json
    frozen.shift(8)
    again = own.caller().post("/v1/auth/refresh", json=body).json

    assert again["refresh_token"] == renewed["refresh_token"]
    assert claims(again["access_token"])["exp"] <= claims(again["refresh_token"])["exp"]


def test_the_denylist_is_written_by_one_function_alone_which_asks_what_was_handed_out() -> None:
    """Every other place would have to compute an end of its own."""
    adding = {
        str(file.relative_to(ROOMS))
        for file in ROOMS.rglob("*.py")
        if re.search(r"add_revocations\(|insert\(revocations\)", file.read_text())
    }
    assert adding == {"guard/revocation/queries.py", "guard/revocation/denylist.py"}
    source = Path(revocations.__file__).read_text()
    assert source.count("add_revocations(") == 1
    assert "end.tokens_until or now" in source


LIFETIME = re.compile(r"\.((?:access_token|refresh_token|session)_seconds)\b")
REVIEWED = {
    "settings.py",  # whether they fit each other
    "capabilities/sessions/service.py",  # the end of what is handed out now
    "capabilities/sessions/rotation.py",  # the same
    "capabilities/signin/tokens.py",  # the same
    "guard/revocation/denylist.py",  # the later of this and of what was handed out
    "guard/tokens/kept_keys.py",  # the same
}


def test_every_place_that_computes_with_the_lifetime_of_a_token_was_looked_at() -> None:
    """Of a new place ask: may what was taken back come to life by it when the setting changes?"""
    found = {
        str(file.relative_to(ROOMS))
        for file in ROOMS.rglob("*.py")
        if LIFETIME.search(file.read_text(encoding="utf-8"))
    }
    assert found == REVIEWED
