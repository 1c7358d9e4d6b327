"""Query arguments: each known, each once, each what it should be, at every operation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import marshmallow as ma
import pytest
from flask import Flask

from rbac_api.web.fields import Count, Email, Flag, Moment, PermissionName, RoleName, Text
from rbac_api.web.requests.arguments import MAX_QUERIES, MAX_QUERY_LENGTH, StrictParser
from tests.builders import Stage
from tests.cast import ALICE
from tests.contract.operations import Operation, operations
from tests.web.test_bodies import IDS


def reached(stage: Stage) -> list[Operation]:
    """All operations that Alice may ask without ending her own session."""
    return [each for each in operations(stage.app) if each.id not in ("logout", "get_problem")]


def sorted_out(stage: Stage, queries: tuple[str, ...], operations_asked: list[Operation]) -> list[Any]:
    """Which operation answers which query with anything but 422."""
    alice, found = stage.as_(ALICE), []
    for each in operations_asked:
        for query in queries:
            body = each.example() if each.body is not None else None
            answer = alice.call(
                each.method, f"{each.at(IDS)}?{query}", json=body, headers={"If-Match": '"1"'}
            )
            if answer.status_code != (400 if each.own_form else 422):
                found.append((each.id, query, answer.status_code))
    return found


UNKNOWN = ("no_such_argument=1", "Limit=1", "page=2", "sort=password_hash", "%6eo=1", "=", "a")
UNFIT = (
    "limit=0", "limit=-1", "limit=201", "limit=1000000000000000000", "limit=" + "9" * 30, "limit=" + "9" * 5000, "limit=1.5", "limit=1e2",
    "limit=1_0", "limit=%2B5", "limit=%205", "limit=0x10", "limit=", "limit=%D9%A3", "limit=true", "limit=5&limit=5", "limit=5&limit=6",
    "count=maybe", "count=1", "count=TRUE", "count=", "cursor=%00", "cursor=" + "x" * 2001, "cursor=forged", "cursor=%FF",
    "cursor=%ED%A0%80", "limit=5&%FF=1", "limit=5&a%00=1",
)  # fmt: skip


def test_no_operation_takes_an_argument_it_does_not_know(stage: Stage) -> None:
    assert len(reached(stage)) > 30
    assert sorted_out(stage, UNKNOWN, reached(stage)) == []


def test_no_list_takes_an_argument_that_is_not_what_it_should_be(stage: Stage) -> None:
    lists = [
        each
        for each in reached(stage)
        if any(p.get("name") == "cursor" for p in each.described.get("parameters", []))
    ]

    assert len(lists) >= 5
    assert sorted_out(stage, UNFIT, lists) == []


@pytest.mark.parametrize("query", ["", "&", "&&"])
def test_a_question_mark_without_a_question_is_harmless(stage: Stage, query: str) -> None:
    assert stage.as_(ALICE).get(f"/v1/me?{query}").status_code == 200


def test_a_repeated_argument_is_named(stage: Stage) -> None:
    answer = stage.as_(ALICE).get("/v1/users?limit=1&limit=2")

    assert answer.json["errors"] == [
        {"pointer": "/limit", "code": "field.repeated", "detail": "Give this argument once."}
    ]


@pytest.mark.parametrize(
    ("query", "pointer"), [("q=%00", "/q"), ("q=a&status=%EF%BF%BD", "/status"), ("q%00=1", "")]
)
def test_an_argument_with_text_that_no_database_holds_is_named_if_it_can_be(
    stage: Stage, query: str, pointer: str
) -> None:
    errors = stage.as_(ALICE).get(f"/v1/users?{query}").json["errors"]

    assert [(fault["pointer"], fault["code"]) for fault in errors] == [(pointer, "field.characters")]


def loaded(field: ma.fields.Field[Any], value: Any) -> Any:
    schema = ma.Schema.from_dict({"value": field})()
    return schema.load({"value": value})["value"]


GOOD: list[tuple[ma.fields.Field[Any], Any, Any]] = [
    (Count(low=1, high=200), "200", 200), (Count(low=1, high=200), "007", 7),
    (Flag(), "true", True), (Flag(), False, False), (Flag(), "false", False),
    (Moment(), "2026-11-22T17:00:00Z", datetime(2026, 11, 22, 17, tzinfo=UTC)),
    (Moment(), "2026-11-22t17:00:00.5+02:00", datetime(2026, 11, 22, 15, 0, 0, 500000, UTC)),
    (Moment(), "2026-11-22T17:00:00.123456789Z", datetime(2026, 11, 22, 17, 0, 0, 123456, UTC)),
    (RoleName(), "a1", "a1"), (RoleName(), "A_b.c-", "A_b.c-"), (RoleName(), "r" + "x" * 126, "r" + "x" * 126),
    (PermissionName(), "a:b", "a:b"), (PermissionName(), "s3.x:Get_Object:1:z", "s3.x:Get_Object:1:z"),
    (PermissionName(), "a:" + "b" * 198, "a:" + "b" * 198), (Email(), "a@b", "a@b"), (Text(longest=3), "é€𝄞", "é€𝄞"),
]  # fmt: skip
BAD: list[tuple[ma.fields.Field[Any], list[Any]]] = [
    (Count(low=1, high=200), ["0", "201", "", "-1", "1.0", "１", "٣", "1 ", "\n1", 1, True, None, "9" * 19]),
    (Flag(), ["True", "1", "yes", "", 1, 0, None, [], "on", "t"]),
    (
        Moment(),
        [
            "", "now", "2026-11-22", "2026-11-22T17:00:00", "2026-11-22 17:00:00Z", "2026-11-22T17:00Z",
            "2026-13-01T00:00:00Z", "2026-02-30T00:00:00Z",
            "2026-11-22T25:00:00Z", "2026-11-22T17:00:60Z", "2026-11-22T17:00:00+25:00", "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
            "0000-01-01T00:00:00Z", "2026-11-22T17:00:00.1234567890Z", "２026-11-22T17:00:00Z",
            "2026-11-22T17:00:00Z\n", 1795366800, None, [],
        ],
    ),
    (RoleName(), ["", "1a", "a b", "a:b", "a\n", "ab\n", "-a", "_a", ".a", "ä1", "aé", "a" * 128, 1, None, "a\u200b"]),
    (PermissionName(), ["", "a", "a:", ":b", "a::b", "a:b:c:d:e", "a:b\n", "a: b", "a:-b", "_a:b", "ä:b", "a:" + "b" * 199, 1]),
    (Email(), ["", "a", "@", "a@", "@b", "a b@c", "a@b@c", "a@b\n", "a\x00@b", "x" * 65 + "@b", "a@" + "b" * 256, "a\u0085@b"]),
    (Text(longest=3, shortest=1), ["", "abcd", "a\x00", "\x1b", "\x7f", "\x85", "a\n", 1, None, True]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "text", "value"), GOOD, ids=[f"{type(f).__name__}-{t}" for f, t, _ in GOOD]
)
def test_a_field_takes_what_it_is_for(field: ma.fields.Field[Any], text: Any, value: Any) -> None:
    assert loaded(field, text) == value


@pytest.mark.parametrize(("field", "values"), BAD, ids=[type(field).__name__ for field, _ in BAD])
def test_a_field_refuses_what_only_looks_like_it(field: ma.fields.Field[Any], values: list[Any]) -> None:
    taken = []
    for value in values:
        try:
            taken.append((value, loaded(field, value)))
        except ma.ValidationError:
            continue

    assert taken == []


@pytest.mark.parametrize("query", ["limit=1", "limit=1&q=a", "limit=1&q=" + "a" * 100, "limit=1&unread=%61"])
def test_a_query_that_is_repeated_gets_the_same_answer_and_one_that_is_refused_the_same_refusal(
    stage: Stage, query: str
) -> None:
    """What was parsed is remembered: no view may change it for the next request, and no list for another."""
    alice = stage.as_(ALICE)
    known = {"users": "/v1/users", "sessions": "/v1/sessions", "roles": "/v1/roles"}

    first = {name: alice.get(f"{path}?{query}") for name, path in known.items()}
    again = {name: alice.get(f"{path}?{query}") for name, path in known.items()}

    assert {name: answer.status_code for name, answer in first.items()} == (
        {"users": 422, "sessions": 422, "roles": 422}
        if "unread" in query
        else {"users": 200, "sessions": 422 if "q=" in query else 200, "roles": 200}
    )
    for name, answer in first.items():
        differing = {"request_id"} & answer.json.keys()
        assert {**answer.json, **dict.fromkeys(differing)} == {**again[name].json, **dict.fromkeys(differing)}


def test_no_more_queries_are_remembered_than_allowed_and_no_long_ones() -> None:
    parser, app = StrictParser(), Flask(__name__)
    schema = ma.Schema.from_dict({"q": Text(longest=5000)})()

    def asked(text: str) -> object:
        with app.test_request_context(f"/?q={text}"):
            return parser.parse(schema, location="query")

    for number in range(MAX_QUERIES + 50):
        assert asked(f"{number}") == {"q": f"{number}"}
    long = "a" * MAX_QUERY_LENGTH
    assert asked(long) == {"q": long}
    assert parser.remembered == MAX_QUERIES
