"""Usernames: one canonical form, kept unique by the database itself."""

from __future__ import annotations

import random
import threading
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from rbac_api.database.queries import users as accounts
from rbac_api.database.tables import users
from rbac_api.decision.names import MAX_USERNAME_LENGTH, canonical, username_problem
from tests.builders import Stage
from tests.cast import ALICE, DAVE, PASSWORD

ALTERNATIVES: dict[str, str] = {
    "a": "aAａＡᵃªª𝐚𝓪Ⓐ", "b": "bBｂＢᵇ𝐛", "c": "cCｃⅽⅭ", "d": "dDｄᵈⅾ", "e": "eEｅℯᵉ", "f": "fFｆ𝐟", "g": "gGｇℊ",
    "h": "hHｈℎₕ", "i": "iIｉⁱℹ",
    "k": "kKｋ\u212a", "l": "lLｌℓⅼ", "m": "mMｍⅿ", "n": "nNｎⁿ", "o": "oOｏº", "r": "rRｒᵣ", "s": "sSｓ\u017f",
    "t": "tTｔ", "u": "uUｕᵤ", "x": "xXｘⅹ",
}  # fmt: skip
PIECES = [
    ("fi", "ﬁ"),
    ("ffl", "ﬄ"),
    ("ss", "ß"),
    ("é", "e\u0301"),
    ("Å", "Å"),
    ("ǆ", "Ǆ"),
    ("ﬆ", "st"),
    ("Σ", "ς"),
    ("ω", "\u2126"),
    ("ü", "u\u0308"),
]


def confusables(count: int) -> Iterator[tuple[str, str]]:
    """Pairs of different names that are one and the same to a reader of names: by case, width, style, ligature, composition."""
    chance = random.Random(20261122)
    letters = [letter for letter in ALTERNATIVES if letter.isalpha()]
    for number in range(count):
        base = [chance.choice(letters) for _ in range(6)]
        one = "".join(base) + str(number)
        other = "".join(chance.choice(ALTERNATIVES.get(letter, letter)) for letter in base) + str(number)
        if number % 3 == 0:
            left, right = PIECES[number // 3 % len(PIECES)]
            one, other = one + left, other + right
        if one != other:
            yield one, other


def test_a_thousand_confusable_pairs_have_one_canonical_form_each() -> None:
    pairs = list(confusables(1200))

    assert len(pairs) >= 1000
    assert [pair for pair in pairs if canonical(pair[0]) != canonical(pair[1])] == []


def test_of_each_confusable_pair_only_the_first_gets_an_account(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    pairs = random.Random(1).sample(list(confusables(1200)), 60)

    first = [alice.post("/v1/users", json={"username": one}).status_code for one, _ in pairs]
    second = [alice.post("/v1/users", json={"username": other}) for _, other in pairs]

    assert set(first) == {201}
    assert {(answer.status_code, answer.json["code"]) for answer in second} == {(409, "user.username_taken")}


@pytest.mark.parametrize(
    "spelling",
    ["DAVE", " dave ", "ｄａｖｅ", "Dave", "ᵈave", "da\u200bve", "dаve", "dave\u0301", "dave.", "dave\u00a0"],
)
def test_any_spelling_signs_dave_in_or_nobody(stage: Stage, spelling: str) -> None:
    answer = stage.caller().post("/v1/auth/login", json={"username": spelling, "password": PASSWORD})

    mine = canonical(spelling) == "dave"
    assert answer.status_code == (200 if mine else 401)
    if mine:
        stranger = stage.caller()
        stranger.tokens = answer.json
        assert stranger.get("/v1/me").json["id"] == stage.user_id(DAVE)


@pytest.mark.parametrize("spelling", [" dave", "Dave  ", "\u3000ｄａｖｅ", " DAVE\u00a0"])
def test_spaces_around_daves_name_do_not_make_it_anybody_elses(stage: Stage, spelling: str) -> None:
    answer = stage.as_(ALICE).post("/v1/users", json={"username": spelling})

    assert (answer.status_code, answer.json["code"]) == (409, "user.username_taken")


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=40))
def test_the_canonical_form_of_a_canonical_form_is_itself(name: str) -> None:
    once = canonical(name)

    assert canonical(once) == once
    assert unicodedata.is_normalized("NFKC", once)


def test_every_single_letter_has_a_stable_canonical_form() -> None:
    letters = [chr(point) for point in range(0x20000) if chr(point).isalnum()]

    assert len(letters) > 60_000
    assert [letter for letter in letters if canonical(canonical(letter)) != canonical(letter)] == []


@pytest.mark.parametrize(
    "name",
    [
        "", " ", " dave2", "dave2 ", "\u3000dave2", "da\u200bve", "da\u200dve", "da\u2060ve", "\ufeffdave2",
        "dave\u00ad2", "dave\u202egnp",
        "\u2066dave", "da\tve", "da\nve", "da\x1bve", "da\x7fve", "da\u0085ve", "da\u00a0ve", "da\u2028ve", "da  ve",
        "\u0301\u0301", "\u0301dave",
        "dave\ufe0f", "dave\U000e0101", "dave\u034f", "\u3164", "da\u115fve", "da\uffa0ve", "\u2800\u2800",
        "dave\u180b", "dave\ue000", "dave\u0378",
        "...", "!!!", "🔑", "d" * (MAX_USERNAME_LENGTH + 1), "\ufdfa" * 100,
    ],
)  # fmt: skip
def test_a_name_that_hides_something_is_nobodys(stage: Stage, name: str) -> None:
    answer = stage.as_(ALICE).post("/v1/users", json={"username": name})

    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/username"
    assert username_problem(name) is not None


@pytest.mark.parametrize(
    "name",
    [
        "ingrid.solberg",
        "Åse",
        "李小龍",
        "o'neill",
        "O\u2019Neill",
        "d",
        "dave 2",
        "d" * MAX_USERNAME_LENGTH,
        "jürgen@example.com",
        "99",
        "ﬁona",
    ],
)
def test_a_name_is_kept_as_it_was_typed(stage: Stage, name: str) -> None:
    answer = stage.as_(ALICE).post("/v1/users", json={"username": name})

    assert (answer.status_code, answer.json["username"]) == (201, name)
    assert username_problem(name) is None


def test_the_database_itself_refuses_a_second_canonical_name(stage: Stage) -> None:
    """Straight SQL, past every check of the service."""
    columns = [column.name for column in users.columns]
    copied = ", ".join(
        "'0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57'" if column == "id" else column for column in columns
    )
    copy = f"INSERT INTO users ({', '.join(columns)}) SELECT {copied} FROM users WHERE username_canonical = 'dave'"

    with pytest.raises(IntegrityError):
        stage.execute(copy)

    assert stage.query("SELECT count(*) FROM users WHERE username_canonical = 'dave'") == [(1,)]


FORMS = ("eve.adams", "EVE.ADAMS", "Eve.Adams", "ｅｖｅ.ａｄａｍｓ", "eve.ᵃdams")


def fifty_creations(stage: Stage) -> list[Any]:
    """Fifty requests at once for one name, in five spellings."""
    alice, start = stage.as_(ALICE), threading.Barrier(50)

    def create(number: int) -> Any:
        client = stage.app.test_client()
        start.wait()
        return client.post("/v1/users", json={"username": FORMS[number % len(FORMS)]}, headers=alice.headers)

    with ThreadPoolExecutor(50) as crowd:
        return list(crowd.map(create, range(50)))


def outcome(stage: Stage, answers: list[Any]) -> tuple[int, set[Any], int, int]:
    """How many were created, what the others were told, rows and events."""
    made = [answer for answer in answers if answer.status_code == 201]
    told = {(answer.status_code, answer.json["code"]) for answer in answers if answer not in made}
    rows = stage.query("SELECT count(*) FROM users WHERE username_canonical = 'eve.adams'")[0][0]
    return len(made), told, rows, len(stage.events("user.created")) - before_eve(stage)


def before_eve(stage: Stage) -> int:
    return len(
        [event for event in stage.events("user.created") if canonical(event["target_name"]) != "eve.adams"]
    )


def test_of_fifty_creations_at_once_exactly_one_succeeds(stage: Stage) -> None:
    assert {canonical(form) for form in FORMS} == {"eve.adams"}

    for _ in range(3):
        stage.reset()
        assert outcome(stage, fifty_creations(stage)) == (1, {(409, "user.username_taken")}, 1, 1)


def test_the_constraint_alone_gives_the_same_answers(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the look beforehand."""
    monkeypatch.setattr(accounts, "find_user_by_name", lambda _connection, _secret, _name: None)

    assert outcome(stage, fifty_creations(stage)) == (1, {(409, "user.username_taken")}, 1, 1)


def naive_creations(stage: Stage) -> int:
    """The vulnerable twin: looks, then writes, without the one writer's lock and without a constraint; how many rows there are then."""
    stage.execute("DROP TABLE IF EXISTS naive_users", "CREATE TABLE naive_users (name VARCHAR(64))")
    start = threading.Barrier(16)

    def create(_: int) -> None:
        with stage.database.engine.connect() as connection:
            free = (
                connection.exec_driver_sql("SELECT count(*) FROM naive_users WHERE name = 'eve'").scalar()
                == 0
            )
            connection.rollback()
            start.wait()
            if free:
                with connection.execution_options(writer=True, **stage.database.transactional).begin():
                    connection.exec_driver_sql("INSERT INTO naive_users VALUES ('eve')")

    with ThreadPoolExecutor(16) as crowd:
        list(crowd.map(create, range(16)))
    rows: int = stage.query("SELECT count(*) FROM naive_users")[0][0]
    stage.execute("DROP TABLE naive_users")
    return rows


def test_a_naive_creation_would_make_more_than_one(stage: Stage) -> None:
    assert any(naive_creations(stage) > 1 for _ in range(5))
