"""What a password must be (NIST SP 800-63B-4 section 3.1.1.2), at every door, and what it need not be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbac_api.capabilities.passwords.errors import PasswordRefused
from rbac_api.capabilities.passwords.service import common_passwords, password_problem, require_good_password
from tests.builders import Stage
from tests.cast import ALICE, DAVE, NEW_PASSWORD, PASSWORD

REFUSED = {
    "password.too_short": ["", "short", "fourteen chars", "e\u0301" * 14, "🔑" * 14],
    "password.too_long": ["correct horse " * 18 + "battery", "x" * 257],
    "password.common": [
        "passwordpassword", "PasswordPassword", "ｐａｓｓｗｏｒｄｐａｓｓｗｏｒｄ", " " * 15, "123456789012345",
        "correct horse battery staple",
    ],
    "password.repeats": ["a" * 40, "ab" * 30, "12345" * 9, "🔑🗝" * 10, "xyz" * 20 + "xy"],
    "password.own_name": [
        "ingrid.solberg!", "Ingrid Solberg 2026", "SOLBERGsolbergSOLBERG", "ingrid-ingrid-ingrid-1", "grebloS.dirgnI 99",
        "dirgnidirgnidirgni7", "solberg1234567solberg",
    ],
}  # fmt: skip
ACCEPTED = [
    "fifteen letters", "plum tractor harmonica", "0110100110010110" * 2 + "0", "1000000000000000000001",
    "abababababababac", "ééééèèèèêêêêëëëë",
    "パスワードは秘密にしておくものです", "ingrid keeps bees in Bergen", "the Solberg family goat", "!#$%&()=?*ingrid+:;",
    "3516 2245 1636 4421", "           spaces", "e\u0301" * 6 + "xyzabcdefgh", "quince" * 3, "a\tb\nc\rd e f g h i",
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "password"), [(code, each) for code, passwords in REFUSED.items() for each in passwords]
)
def test_it_is_refused_and_the_reason_is_named(code: str, password: str) -> None:
    found = password_problem(password, "ingrid.solberg")

    assert found is not None
    assert found[0] == code
    assert not password or password not in found[1]


@pytest.mark.parametrize("password", ACCEPTED)
def test_anything_else_is_hers_to_choose(password: str) -> None:
    assert password_problem(password, "ingrid.solberg") is None


@pytest.mark.parametrize(
    ("username", "password", "code"),
    [
        ("ingrid@example.com", "ingrid ingrid ingrid 1", "password.own_name"),
        ("ingrid_solberg", "solberg solberg 1", "password.own_name"),
        ("Ingrid", "INGRIDINGRIDINGRID!", "password.own_name"),
        ("øystein", "ØYSTEINøysteinØystein", "password.own_name"),
        ("bob", "bob-bob-bob-bob-bo", "password.repeats"),
        ("bob", "bob bought a boat", None),
        ("alice", "malice aforethought", None),
        ("a.b.c.d", "a.b.c.d and so forth", None),
    ],
)
def test_her_own_name_is_found_in_any_form_but_not_where_it_is_not(
    username: str, password: str, code: str | None
) -> None:
    found = password_problem(password, username)

    assert (found[0] if found else None) == code


@settings(max_examples=300, deadline=None)
@given(password=st.text("01 ab", min_size=15, max_size=60), username=st.text("wxyz", min_size=1, max_size=12))
def test_a_password_without_her_name_in_it_is_never_made_of_it(password: str, username: str) -> None:
    found = password_problem(password, username)

    assert found is None or found[0] in {"password.common", "password.repeats"}


def test_the_shipped_list_is_large_folded_and_holds_nothing_too_short_to_matter() -> None:
    listed = common_passwords()

    assert len(listed) > 50_000
    assert all(len(password) >= 15 for password in listed)
    assert all(password == password.casefold() for password in listed)


def test_the_refusal_points_to_the_field() -> None:
    with pytest.raises(PasswordRefused) as caught:
        require_good_password("short", "ingrid", pointer="/password")

    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [
        ("/password", "password.too_short")
    ]


def created(stage: Stage, password: str) -> Any:
    return stage.as_(ALICE).post("/v1/users", json={"username": "dave.elder", "password": password})


def changed(stage: Stage, password: str) -> Any:
    return stage.as_(DAVE).post(
        "/v1/me/password", json={"current_password": PASSWORD, "new_password": password}
    )


def set_up(stage: Stage, password: str) -> Any:
    token = stage.as_(ALICE).post(f"/v1/users/{stage.user_id(DAVE)}/password-reset").json["token"]
    return stage.caller().post("/v1/auth/password-setup", json={"token": token, "new_password": password})


DOORS = {"/password": created, "/new_password": changed, "/new_password by token": set_up}


@pytest.mark.parametrize("password", ["too short", "passwordpassword", "dave.dave.dave.dave", "x" * 300])
@pytest.mark.parametrize("door", DOORS)
def test_no_door_takes_a_bad_password(stage: Stage, door: str, password: str) -> None:
    knock: Callable[[Stage, str], Any] = DOORS[door]

    answer = knock(stage, password)

    assert (answer.status_code, answer.json["code"]) == (422, "password.refused")
    assert answer.json["errors"][0]["pointer"] == door.partition(" ")[0]
    assert password not in answer.text


@pytest.mark.parametrize("door", DOORS)
def test_every_door_takes_a_good_one(stage: Stage, door: str) -> None:
    assert DOORS[door](stage, NEW_PASSWORD).status_code in {201, 204}
