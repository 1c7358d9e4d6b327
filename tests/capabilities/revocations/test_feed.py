"""The feed that detached verifiers follow: signed, complete, small, cheap to poll, and never silently about another database."""

from __future__ import annotations

from typing import Any

import jwt
import pytest
from time_machine import Traveller

from rbac_api import clock
from rbac_api.capabilities.revocations import service
from rbac_api.guard.revocation.denylist import outdate, revoke
from rbac_api.guard.revocation.queries import delete_old_revocations
from tests.builders import Caller, Stage
from tests.cast import ALICE, CAROL, DAVE
from tests.guard.conftest import StageFor, stage_for  # noqa: F401

PATH = "/.well-known/revocations"


@pytest.fixture
def stage(stage: Stage) -> Stage:
    """With nothing on the denylist: setting the scene took a few things from people."""
    stage.execute("DELETE FROM revocations")
    return stage


def deny(stage: Stage, *jtis: str) -> None:
    with stage.database.writing() as connection:
        revoke(connection, stage.settings, "jti", jtis)


def ask(stage: Stage, since: str | None = None, **headers: str) -> Any:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return stage.caller().get(PATH + (f"?since={since}" if since else ""), headers=sent)


def read(stage: Stage, since: str | None = None) -> dict[str, Any]:
    """What the feed says, verified as a stranger does: with the published keys."""
    answer = ask(stage, since)
    assert (answer.status_code, answer.mimetype) == (200, "application/jose"), answer.data
    header = jwt.get_unverified_header(answer.text)
    (jwk,) = [
        key
        for key in stage.caller().get("/.well-known/jwks.json").json["keys"]
        if key["kid"] == header["kid"]
    ]
    assert (header["typ"], header["alg"]) == ("revocations+jwt", jwk["alg"])
    found: dict[str, Any] = jwt.decode(
        answer.text, jwt.PyJWK(jwk).key, algorithms=[jwk["alg"]], issuer=stage.settings.issuer_url
    )
    return found


def test_a_stranger_reads_what_is_revoked_and_then_only_what_is_new(stage: Stage) -> None:
    first = read(stage)
    alice, dave, carol = stage.as_(ALICE), stage.as_(DAVE), stage.as_(CAROL)
    dave.post("/v1/auth/logout")
    second = read(stage, first["cursor"])
    alice.put(f"/v1/users/{stage.user_id(CAROL)}/roles/role-manager")
    third = read(stage, second["cursor"])

    assert (first["complete"], first["since"], first["sids"], first["users"]) == (True, None, [], {})
    assert second["sids"] == [dave.tokens["session_id"]]
    assert (third["complete"], third["since"], third["sids"]) == (False, second["cursor"], [])
    assert third["users"] == {stage.user_id(CAROL): 3}
    assert first["cursor"] < second["cursor"] < third["cursor"]
    assert read(stage)["sids"] == [dave.tokens["session_id"]]
    assert carol.get("/v1/me").status_code == 200


def test_a_withdrawn_key_is_told(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    (old,) = alice.get("/v1/keys").json["items"]
    alice.post("/v1/keys/rotate", json={"emergency": True})
    stage.as_(ALICE).delete(f"/v1/keys/{old['kid']}")
    assert read(stage)["kids"] == [old["kid"]]


def test_nothing_new_is_304_and_nothing_is_signed_for_it(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, frozen: Traveller
) -> None:
    deny(stage, "one")
    cursor = read(stage)["cursor"]
    for since in (None, cursor):
        answer = ask(stage, since)
        with monkeypatch.context() as patched:
            patched.setattr(service, "signed_feed", lambda *_: pytest.fail("signed"))
            again = ask(stage, since, If_None_Match=answer.headers["ETag"])
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["Cache-Control"] == f"public, max-age={stage.settings.revocation_seconds}"
        assert again.headers["ETag"] == answer.headers["ETag"]
        deny(stage, f"after {since}")
        assert ask(stage, since, If_None_Match=answer.headers["ETag"]).status_code == 200


def test_when_its_bound_has_passed_an_answer_is_said_anew_since_its_iat_is_old(
    stage: Stage, frozen: Traveller
) -> None:
    deny(stage, "one")
    tag, before = ask(stage).headers["ETag"], read(stage)["iat"]

    frozen.shift(stage.settings.revocation_seconds)

    assert ask(stage, If_None_Match=tag).status_code == 200
    assert read(stage)["iat"] == before + stage.settings.revocation_seconds


@pytest.mark.parametrize(
    "cursor",
    ["1", "x" * 33, "0" * 33, "0" * 16 + "-" + "G" * 16, "0" * 16 + "-" + "0" * 17, "-1", "%00", "é"],
)
def test_a_cursor_that_cannot_be_read_is_refused(stage: Stage, cursor: str) -> None:
    answer = ask(stage, cursor)
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] in ("/since", "/query")


@pytest.mark.parametrize("cursor", [f"{number:016x}-{'a' * 16}" for number in (0, 1, 7, (1 << 64) - 1)])
def test_a_cursor_of_another_database_gives_everything(stage: Stage, cursor: str) -> None:
    deny(stage, "one", "two")
    found = read(stage, cursor)
    assert (found["complete"], found["since"], found["jtis"]) == (True, cursor, ["one", "two"])


def test_after_a_restored_backup_the_same_number_is_another_place(stage: Stage) -> None:
    deny(stage, "lost")
    cursor = read(stage)["cursor"]
    stage.execute("DELETE FROM revocations")
    deny(stage, "later")

    found = read(stage, cursor)

    assert found["cursor"][:16] == cursor[:16]
    assert (found["complete"], found["jtis"]) == (True, ["later"])


def test_a_cursor_too_old_gives_everything_that_still_counts(stage: Stage, frozen: Traveller) -> None:
    deny(stage, "old")
    cursor = read(stage)["cursor"]
    frozen.shift(stage.settings.access_token_seconds + stage.settings.clock_leeway_seconds + 1)
    assert (read(stage)["jtis"], read(stage)["cursor"]) == ([], cursor)
    deny(stage, "new")
    assert read(stage, cursor)["complete"] is False
    with stage.database.writing() as connection:
        assert delete_old_revocations(connection, clock.now(), 100) == 1

    found = read(stage, cursor)

    assert (found["complete"], found["jtis"]) == (True, ["new"])


def test_what_moved_on_since_is_told_again(stage: Stage) -> None:
    stage.as_(DAVE)
    dave = stage.user_id(DAVE)
    with stage.database.writing() as connection:
        outdate(connection, stage.settings, {dave: 2})
    cursor = read(stage)["cursor"]
    with stage.database.writing() as connection:
        outdate(connection, stage.settings, {dave: 3})
    assert read(stage, cursor)["users"] == {dave: 3}


def test_an_answer_is_bounded_and_says_that_there_is_more(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_ENTRIES", 2)
    deny(stage, *"abcde")
    pages = [read(stage)]
    while pages[-1]["more"]:
        pages.append(read(stage, pages[-1]["cursor"]))

    assert [page["jtis"] for page in pages] == [["a", "b"], ["c", "d"], ["e"]]
    assert [page["complete"] for page in pages] == [True, False, False]


def test_it_is_told_only_what_was_committed(stage: Stage) -> None:
    with stage.database.writing() as connection:
        revoke(connection, stage.settings, "jti", ["not yet"])
        assert read(stage)["jtis"] == []
    assert read(stage)["jtis"] == ["not yet"]


def test_nobody_takes_the_feed_for_a_token(stage: Stage) -> None:
    mallory = stage.caller()
    mallory.tokens = {"access_token": ask(stage).text}
    assert mallory.get("/v1/me").json["code"] == "token.invalid"


def test_after_a_rotation_the_new_key_signs_it(stage: Stage) -> None:
    before = jwt.get_unverified_header(ask(stage).text)["kid"]
    tag = ask(stage).headers["ETag"]
    kid = stage.as_(ALICE).post("/v1/keys/rotate", json={"emergency": True}).json["kid"]

    answer = ask(stage, If_None_Match=tag)

    assert answer.status_code == 200
    assert jwt.get_unverified_header(answer.text)["kid"] == kid != before


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_each_algorithm_signs_it(stage_for: StageFor, algorithm: str) -> None:  # noqa: F811
    assert read(stage_for(algorithm))["complete"] is True


def test_without_a_key_it_is_unavailable(stage: Stage) -> None:
    caller: Caller = stage.caller()
    stage.execute("DELETE FROM signing_keys")
    assert caller.get(PATH).json["code"] == "key.absent"
