"""Changing one's own password."""

from __future__ import annotations

from threading import get_ident
from typing import Any

import pytest
from werkzeug.test import TestResponse

from rbac_api.capabilities.me import service
from rbac_api.guard.hashing import Hasher
from tests.builders import Caller, Stage
from tests.capabilities.signin.crowd import answers_to, end_of, together
from tests.cast import ALICE, DAVE, NEW_PASSWORD, PASSWORD


def change(caller: Caller, current: str = PASSWORD, new: str = NEW_PASSWORD) -> TestResponse:
    return caller.post("/v1/me/password", json={"current_password": current, "new_password": new})


def signs_in(stage: Stage, password: str) -> bool:
    body = {"username": "dave", "password": password}
    return stage.caller().post("/v1/auth/login", json=body).status_code == 200


def test_daves_other_sessions_end_and_this_one_goes_on(stage: Stage, nodes: list[Stage]) -> None:
    here, there, alice = stage.as_(DAVE), stage.as_(DAVE), stage.as_(ALICE)

    answer = change(here)

    assert (answer.status_code, answer.data) == (204, b"")
    assert [answers_to(node, there.tokens) for node in nodes] == [(401, 401)] * len(nodes)
    assert end_of(stage, there.tokens["session_id"]) == "password-change"
    assert answers_to(stage, here.tokens) == answers_to(stage, alice.tokens) == (200, 200)
    assert (signs_in(stage, PASSWORD), signs_in(stage, NEW_PASSWORD)) == (False, True)
    (event,) = stage.events("password.changed")
    assert (event["actor_name"], event["target_name"]) == ("dave", "dave")
    assert NEW_PASSWORD not in str(event)


def test_with_the_wrong_present_password_nothing_changes_and_it_is_recorded(stage: Stage) -> None:
    here, there = stage.as_(DAVE), stage.as_(DAVE)

    answer = change(here, current="wrong")

    assert (answer.status_code, answer.json["code"]) == (403, "password.wrong")
    assert signs_in(stage, PASSWORD)
    assert answers_to(stage, there.tokens) == (200, 200)
    (event,) = stage.events("access.refused")
    assert (event["actor_name"], event["outcome"]) == ("dave", "refused")


@pytest.mark.parametrize(
    ("new", "code"),
    [
        ("short", "password.too_short"),
        ("dave-dave-dave-1", "password.own_name"),
        (PASSWORD, "password.unchanged"),
        ("x" * 257, "password.too_long"),
    ],
)
def test_a_bad_new_password_is_refused_with_the_reason(stage: Stage, new: str, code: str) -> None:
    here, there = stage.as_(DAVE), stage.as_(DAVE)

    answer = change(here, new=new)

    assert answer.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in answer.json["errors"]] == [("/new_password", code)]
    assert answers_to(stage, there.tokens) == (200, 200)
    assert signs_in(stage, PASSWORD)


def test_the_present_password_in_another_normal_form_is_the_present_one(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    change(dave, new="caf\u00e9 au lait, one")

    answer = change(dave, current="cafe\u0301 au lait, one", new="caf\u00e9 au lait, one")

    assert answer.json["errors"][0]["code"] == "password.unchanged"


def test_if_the_write_fails_nobody_is_signed_out(stage: Stage) -> None:
    here, there = stage.as_(DAVE), stage.as_(DAVE)
    stage.execute(*broken(stage.engine))
    client = stage.app.test_client()

    answer = client.post(
        "/v1/me/password",
        json={"current_password": PASSWORD, "new_password": NEW_PASSWORD},
        headers=here.headers,
    )

    stage.execute(*mended(stage.engine))
    assert answer.status_code >= 500
    assert answers_to(stage, here.tokens) == answers_to(stage, there.tokens) == (200, 200)
    assert stage.events("password.changed") == []
    assert signs_in(stage, PASSWORD)


def broken(engine: str) -> list[str]:
    """From now on the database refuses to end sessions because of a password."""
    condition = "WHEN (NEW.end_reason = 'password-change')"
    if engine == "sqlite":
        return [
            f"CREATE TRIGGER broken BEFORE UPDATE ON sessions {condition} BEGIN SELECT RAISE(ABORT, 'broken'); END"
        ]
    return [
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''broken''; END'",
        f"CREATE TRIGGER broken BEFORE UPDATE ON sessions FOR EACH ROW {condition} EXECUTE FUNCTION broken()",
    ]


def mended(engine: str) -> list[str]:
    return (
        ["DROP TRIGGER broken"]
        if engine == "sqlite"
        else ["DROP TRIGGER broken ON sessions", "DROP FUNCTION broken()"]
    )


def winners(stage: Stage) -> tuple[list[bool], list[bool]]:
    """Dave changes his password to five different ones at once: which changes were answered with success, which ones sign him in."""
    dave, passwords = stage.as_(DAVE), [f"{NEW_PASSWORD} {number}" for number in range(5)]
    answers = together(5, lambda number: change(dave, new=passwords[number]).status_code)
    stage.execute("DELETE FROM signin_attempts")  # the losers' guesses, and below further ones
    return [status == 204 for status in answers], [signs_in(stage, password) for password in passwords]


def test_of_five_changes_at_once_one_wins_and_the_others_are_told(stage: Stage) -> None:
    answered, able = winners(stage)

    assert answered == able
    assert able.count(True) == 1


def test_if_the_password_were_compared_only_before_hashing_several_would_be_told_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[int, Any] = {}
    find = service.users.find_user
    monkeypatch.setattr(service.users, "find_user", lambda *given: seen.setdefault(get_ident(), find(*given)))

    assert winners(stage)[0].count(True) > 1


def test_dave_whose_password_changes_while_it_is_hashed_is_told_so(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    dave, make = stage.as_(DAVE), Hasher.hash

    def hash_slowly(hasher: Hasher, password: str) -> str:
        stage.execute("UPDATE users SET password_hash = 'another' WHERE username = 'dave'")
        return make(hasher, password)

    monkeypatch.setattr(Hasher, "hash", hash_slowly)

    assert change(dave).json["code"] == "password.wrong"
    assert stage.events("password.changed") == []
