"""A search finds exactly the accounts whose names have the text, whichever way it takes, and looks few up in an index."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Select, event, insert, select

from rbac_api import clock
from rbac_api.database import filters, text_search
from rbac_api.database.tables import users
from rbac_api.database.text_search import named_like
from rbac_api.database.types import new_id
from rbac_api.decision.names import search_text
from tests.builders import Stage
from tests.cast import ALICE

LETTERS = "aab'\"\\%_*: &|!()李明ø😀-"
WAYS = {  # how many are few, how many are enough for a page, and how many trigrams are looked up
    "looked up": (5000, 10**6, 200),
    "by the ends": (0, 10**6, 200),
    "read in order": (5000, 1, 200),
    "too many trigrams": (5000, 10**6, 0),
}


def people(stage: Stage, texts: list[str]) -> None:
    """An account for each text, named ``n0000`` and so on, which is searched by the text alone."""
    now = clock.now()
    rows = [
        {"id": new_id(), "username": f"n{n:04}", "username_canonical": f"n{n:04}", "status": "active",
         "created_at": now, "updated_at": now, "search_text": text}
        for n, text in enumerate(texts)
    ]  # fmt: skip
    with stage.database.writing() as connection:
        connection.execute(insert(users), rows)


def found(stage: Stage, text: str, *, by_name: bool = True) -> list[str]:
    with stage.database.reading() as connection:
        named = named_like(connection, text, by_name=by_name)
        query = select(users.c.username).where(named).order_by(users.c.username_canonical)
        return list(connection.execute(query).scalars())


@pytest.mark.parametrize("way", WAYS)
def test_every_way_finds_what_comparing_every_text_finds(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    drawn = random.Random(7)
    texts = [search_text("".join(drawn.choices(LETTERS, k=drawn.randint(1, 9)))) for _ in range(300)]
    people(stage, texts)
    few, enough, terms = WAYS[way]
    monkeypatch.setattr(filters, "FEW", few)
    monkeypatch.setattr(text_search, "ENOUGH", enough)
    monkeypatch.setattr(text_search, "_MOST_TERMS", terms)

    parts = [
        text[start : start + size] for text in texts[:40] for start in (0, 1, 3) for size in (1, 2, 3, 5)
    ]
    sought = sorted(
        {part for part in parts if part.strip() == part and part} | {"zz", "q", "no such", "明明明"}
    )
    for text in sought:
        wanted = [f"n{n:04}" for n, each in enumerate(texts) if text in each]
        names = [name for name in found(stage, text, by_name=len(text) != 5) if name.startswith("n")]
        assert names == wanted, text


def test_a_very_long_text_is_compared_to_its_end(stage: Stage) -> None:
    text = "".join(chr(0x4E00 + n) for n in range(300))
    people(stage, [text, text[:-1] + "x"])

    assert found(stage, text) == ["n0000"]
    assert found(stage, text[:-1]) == ["n0000", "n0001"]


def test_the_index_follows_each_change_of_an_account(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    made = alice.post("/v1/users", json={"username": "erin", "display_name": "Zwölf"}).json
    assert found(stage, "zwolf") == found(stage, "lf") == ["erin"]

    alice.patch_now(f"/v1/users/{made['id']}", {"display_name": "Elf"})
    assert (found(stage, "zwolf"), found(stage, "elf"), found(stage, "f")) == ([], ["erin"], ["erin"])

    alice.delete_now(f"/v1/users/{made['id']}")
    assert (found(stage, "elf"), found(stage, "erin")) == ([], [])
    assert stage.query("SELECT count(*) FROM user_search WHERE name = 'erin'") == [(0,)]


def test_an_account_without_a_text_gets_into_the_index_with_its_first(stage: Stage) -> None:
    people(stage, [""])
    assert stage.query("SELECT count(*) FROM user_search WHERE name = 'n0000'") == [(0,)]

    stage.execute("UPDATE users SET search_text = 'xylophon' WHERE username = 'n0000'")

    assert found(stage, "ophon") == ["n0000"]


@contextmanager
def executed(stage: Stage) -> Iterator[list[Any]]:
    seen: list[Any] = []

    def note(_connection: Any, clause: Any, *_rest: Any) -> None:
        seen.append(clause)

    event.listen(stage.database.engine, "before_execute", note)
    try:
        yield seen
    finally:
        event.remove(stage.database.engine, "before_execute", note)


def plan(stage: Stage, query: Select[Any]) -> str:
    """How the engine means to read it, in a database with statistics."""
    words = "EXPLAIN" if stage.engine == "postgresql" else "EXPLAIN QUERY PLAN"
    with stage.database.reading() as connection:
        rows = connection.exec_driver_sql(
            f"{words} {query.compile(connection, compile_kwargs={'literal_binds': True})}"
        )
        return "\n".join(str(row[-1]) for row in rows)


@pytest.mark.parametrize("text", ["7", "77", "person-0777", "nothing like it"])
def test_few_are_found_in_the_index_and_no_other_row_is_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    people(stage, [f"person-{n:04}\nperson-{n:04}@example.com" for n in range(3000)])
    stage.execute("ANALYZE")
    monkeypatch.setattr(text_search, "ENOUGH", 10**6)
    index = "ix_user_search_trigrams" if stage.engine == "postgresql" else "user_trigrams VIRTUAL TABLE INDEX"

    with executed(stage) as statements:
        found(stage, text)
    lookups = [one for one in statements if "FROM user_search" in str(one) or "JOIN user_search" in str(one)]
    assert lookups
    for lookup in lookups:
        read = plan(stage, lookup)
        assert index in read
        assert "SCAN user_search" not in read.replace("SCAN user_search USING INTEGER PRIMARY KEY", "")
        assert "Seq Scan" not in read


def test_what_most_accounts_have_is_not_looked_up(stage: Stage) -> None:
    people(stage, [f"person-{n:04}" for n in range(200)])

    with executed(stage) as statements:
        assert len(found(stage, "person")) == 200

    assert [one for one in statements if "user_search" in str(one)] == []


def test_a_text_that_is_in_the_index_already_changes_and_goes(stage: Stage) -> None:
    """SQLite's index gets 256 rows at a time."""
    people(stage, [f"person-{n:04}" for n in range(600)])

    stage.execute("UPDATE users SET search_text = 'somebody else' WHERE username IN ('n0003', 'n0599')")
    stage.execute("UPDATE users SET search_text = '' WHERE username = 'n0004'")

    assert found(stage, "body el") == ["n0003", "n0599"]
    assert [found(stage, f"person-{n:04}") for n in (3, 4, 599)] == [[], [], []]
    assert found(stage, "person-000") == [f"n{n:04}" for n in (0, 1, 2, 5, 6, 7, 8, 9)]
