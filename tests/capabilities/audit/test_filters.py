"""Filters take their words literally: no wildcard, no SQL, no column of the client's choice."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import event

from tests.builders import Caller, Stage
from tests.cast import ALICE, BOB, CAROL, DAVE

PAYLOADS = (
    "%", "_", "%%", "a%", "_lice", "\\", "\\%", "/", "/%", "'", "''", "' OR 1=1 --", '"; DROP TABLE users; --', "alice' --",
    "$1", "%(x)s", ":x", "?", "{}", "{0}", "%s", "*", "alice\\", "1) UNION SELECT password_hash FROM users --", "ａlice%",
)  # fmt: skip
SEARCHES = (
    "/v1/users?q={}",
    "/v1/sessions?user={}",
    "/v1/sessions?ip={}",
    "/v1/audit/events?actor={}",
    "/v1/audit/events?target={}",
)
REFUSED = (
    "/v1/users?sort=password_hash", "/v1/users?order_by=1", "/v1/users?password_hash=x", "/v1/users?q[]=a", "/v1/users?status=deleted",
    "/v1/users?status=active'", "/v1/users?role=1admin", "/v1/users?role=a%25", "/v1/users?created_after=yesterday",
    "/v1/users?roles__users__password_hash=x", "/v1/sessions?token_hash=x", "/v1/sessions?state=gone", "/v1/roles?query=a",
    "/v1/audit/events?action=user.%25", "/v1/audit/events?outcome=", "/v1/audit/events?before=2026-13-01T00:00:00Z",
    "/v1/audit/events?after=2026-11-22", "/v1/audit/events?actor=a&actor=b", "/v1/audit/events?hash=x", "/v1/audit/events?q=x",
)  # fmt: skip


def found(caller: Caller, path: str) -> list[Any]:
    answer = caller.get(path)
    assert answer.status_code in (200, 422), (path, answer.text)
    return list(answer.json.get("items", []))


@pytest.mark.parametrize("search", SEARCHES)
def test_a_wildcard_or_a_piece_of_sql_finds_nobody_and_is_never_part_of_a_statement(
    stage: Stage, search: str
) -> None:
    carol, statements = stage.as_(CAROL), []

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        statements.append(statement)

    event.listen(stage.database.engine, "before_cursor_execute", note)
    try:
        for payload in PAYLOADS:
            assert found(carol, search.format(quote(payload))) == [], payload
    finally:
        event.remove(stage.database.engine, "before_cursor_execute", note)

    assert not [s for s in statements if "password_hash FROM users --" in s or "DROP" in s or "1=1" in s]


def test_a_name_with_a_wildcard_in_it_is_found_by_it_alone(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    for name in ("50%er", "50_er", "50xer", "back\\slash"):
        assert alice.post("/v1/users", json={"username": name}).status_code == 201

    assert [user["username"] for user in found(alice, "/v1/users?q=50%25")] == ["50%er"]
    assert [user["username"] for user in found(alice, "/v1/users?q=50_")] == ["50_er"]
    assert [user["username"] for user in found(alice, "/v1/users?q=BACK%5C")] == ["back\\slash"]


@pytest.mark.parametrize("path", REFUSED)
def test_what_is_no_filter_is_refused_with_its_name(stage: Stage, path: str) -> None:
    answer = stage.as_(CAROL).get(path)

    assert answer.status_code == 422, path
    assert answer.json["errors"][0]["pointer"].startswith("/")


@pytest.mark.parametrize(
    "user", ["zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz", "a-b-c-d-" + "e" * 28, "-" * 4 + "x" * 32, "x" * 128]
)
def test_a_filter_that_only_looks_like_an_id_finds_nothing(stage: Stage, user: str) -> None:
    assert found(stage.as_(CAROL), f"/v1/sessions?user={user}") == []


def test_each_filter_of_the_trail_finds_exactly_its_own(stage: Stage) -> None:
    alice, carol, bob = stage.as_(ALICE), stage.as_(CAROL), stage.user_id(BOB)
    alice.put(f"/v1/users/{bob}/roles/auditor")
    stage.as_(DAVE).get("/v1/users")
    newest = stage.events()[-1]["seq"]

    def told(query: str) -> set[tuple[str, str | None]]:
        items = found(carol, f"/v1/audit/events?limit=200&{query}")
        return {(item["action"], item["actor"]["name"]) for item in items if item["seq"] <= newest}

    assert told("outcome=refused") == {("access.refused", "dave")}
    assert told(f"actor={stage.user_id(ALICE)}&action=assignment.created") == {
        ("assignment.created", "alice")
    }
    assert (
        told(f"target={bob}&actor=alice")
        == told("target=bob&actor=alice")
        == {("assignment.created", "alice")}
    )
    assert told("action=seed.loaded") == set()


def test_a_stretch_of_time_has_open_ends(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    middle = carol.get("/v1/audit/events?limit=5").json["items"][2]
    at, zone = quote(middle["at"]), quote(middle["at"].replace("Z", "+00:00"))

    later = {item["seq"] for item in found(carol, f"/v1/audit/events?limit=200&after={at}")}
    earlier = {item["seq"] for item in found(carol, f"/v1/audit/events?limit=200&before={zone}")}

    assert min(later) == middle["seq"] + 1
    assert max(earlier) == middle["seq"] - 1
