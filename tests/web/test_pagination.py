"""Pages: each row once while rows come and go, and a cursor that only we can make."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from itsdangerous import URLSafeSerializer

from rbac_api.errors import Invalid
from rbac_api.web.pagination import page_request
from tests.builders import Caller, Stage
from tests.cast import ALICE, BOB, CAROL, DAVE
from tests.database.conftest import another_worker

LISTS = (
    "/v1/users",
    "/v1/roles",
    "/v1/permissions",
    "/v1/sessions?state=all",
    "/v1/audit/events",
    "/v1/me/sessions",
)


def walk(caller: Caller, path: str, limit: int) -> list[Any]:
    """All items, page by page, by the cursor; the link must lead to the same place."""
    separator, items, cursor = "&" if "?" in path else "?", [], ""
    while True:
        answer = caller.get(f"{path}{separator}limit={limit}{cursor}")
        assert answer.status_code == 200, answer.json
        items += answer.json["items"]
        assert len(answer.json["items"]) <= limit
        if answer.json["next"] is None:
            assert "Link" not in answer.headers
            return items
        assert next_of(answer.headers["Link"])["cursor"] == [answer.json["next"]]
        cursor = f"&cursor={quote(answer.json['next'])}"


def next_of(link: str) -> dict[str, list[str]]:
    address, _, relation = link.partition(">; ")
    assert relation == 'rel="next"'
    return parse_qs(urlsplit(address.removeprefix("<")).query)


def names(items: list[dict[str, Any]]) -> list[Any]:
    return [item.get("id") or item.get("name") or item["seq"] for item in items]


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", [1, 2, 200])
def test_pages_of_any_size_hold_the_same_rows_once(stage: Stage, path: str, limit: int) -> None:
    alice = stage.as_(ALICE)
    for person in (BOB, CAROL, ALICE):
        stage.as_(person)
    separator = "&" if "?" in path else "?"
    whole = alice.get(f"{path}{separator}count=true&limit=200").json

    walked = names(walk(alice, path, limit))

    assert len(walked) == len(set(walked))
    if "audit" not in path:  # reading it makes it longer
        assert walked == names(whole["items"])
        assert whole["total"] == len(walked)
    else:
        assert set(names(whole["items"])) <= set(walked)


def test_who_stays_is_listed_once_while_others_come_and_go(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    for number in range(0, 40, 2):
        alice.post("/v1/users", json={"username": f"worker {number:02}"})
    staying = {user["username"] for user in walk(alice, "/v1/users", 200)}
    seen, cursor, number = [], "", 1

    while cursor is not None:
        page = alice.get(f"/v1/users?limit=3{cursor}").json
        seen += [user["username"] for user in page["items"]]
        alice.post("/v1/users", json={"username": f"worker {number:02}"})
        if number == 21:
            gone = next(user for user in page["items"] if user["username"] == seen[-1])
            alice.delete_now(f"/v1/users/{gone['id']}")
        number += 2
        cursor = f"&cursor={page['next']}" if page["next"] else None

    assert len(seen) == len(set(seen))
    assert staying <= set(seen)


def test_a_cursor_stands_although_its_row_was_deleted(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    first = alice.get("/v1/users?limit=3").json
    alice.delete_now(f"/v1/users/{first['items'][-1]['id']}")

    rest = alice.get(f"/v1/users?limit=200&cursor={first['next']}").json["items"]

    assert [user["username"] for user in (*first["items"], *rest)] == [
        "alice",
        "bob",
        "carol",
        "dave",
        "mallory",
    ]


def test_the_longest_names_there_can_be_make_cursors_that_can_be_sent(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    longest = ["".join(chr(0x20000 + 7 * i + n) for i in range(128)) for n in range(3)] + ["a" * 128]
    for name in longest:
        assert alice.post("/v1/users", json={"username": name}).status_code == 201

    walked = walk(alice, "/v1/users", 1)

    assert {user["username"] for user in walked} >= set(longest)


FORGED = (
    "x", "null", "W10.", ".", "a.b", "a.b.c", "[]", "[1]", "..%2f", "%00", "\ud7ff", "' OR 1=1 --", base64.b64encode(b'["a"]').decode(),
    "eyJhbGciOiJub25lIn0..", "x" * 2000, "x" * 2001,
)  # fmt: skip


@pytest.mark.parametrize("path", ["/v1/users", "/v1/audit/events"])
def test_a_cursor_that_we_did_not_make_is_refused(stage: Stage, path: str) -> None:
    carol = stage.as_(CAROL)
    real = carol.get(f"{path}?limit=1").json["next"]
    changed = [
        real[:-1] + ("A" if real[-1] != "A" else "B"),
        "A" + real[1:],
        real + "A",
        real.upper(),
        real[:-2],
        f"{real}.{real}",
    ]
    own = [URLSafeSerializer("changeme").dumps(["alice"]), URLSafeSerializer("", salt="cursor").dumps([1])]

    for cursor in (*FORGED, *changed, *own):
        answer = carol.get(f"{path}?limit=1&cursor={quote(cursor)}")
        assert answer.status_code == 422, cursor
        assert answer.json["errors"][0]["pointer"] == "/cursor"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "/v1/roles?limit=1",
        "/v1/users?limit=1&status=active",
        "/v1/users?limit=1&q=a",
        "/v1/sessions?limit=1",
        "/v1/permissions?limit=1",
    ],
)
def test_a_cursor_of_one_list_is_none_of_another(stage: Stage, elsewhere: str) -> None:
    alice = stage.as_(ALICE)
    cursor = alice.get("/v1/users?limit=1").json["next"]

    assert alice.get(f"{elsewhere}&cursor={cursor}").status_code == 422
    assert alice.get(f"/v1/users?limit=2&count=true&cursor={cursor}").status_code == 200


def test_a_cursor_of_another_service_is_refused(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    cursor = alice.get("/v1/users?limit=1").json["next"]
    with (
        another_worker(stage) as same,
        another_worker(stage, secret_key="another secret of thirty-two bytes!!") as other,
    ):
        assert (
            same.app.test_client().get(f"/v1/users?cursor={cursor}", headers=alice.headers).status_code == 200
        )
        with other.app.test_request_context(f"/v1/users?cursor={cursor}"), pytest.raises(Invalid):
            page_request({"cursor": cursor})


def test_a_cursor_tells_nothing_that_its_reader_has_not_seen(stage: Stage) -> None:
    page = stage.as_(ALICE).get("/v1/users?limit=1").json
    payload = page["next"].partition(".")[0]

    told = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))

    assert told == [page["items"][0]["username"]]


def test_the_link_keeps_the_filters(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    link = alice.get("/v1/users?limit=1&status=active&count=true").headers["Link"]

    assert {name: value for name, value in next_of(link).items() if name != "cursor"} == {
        "limit": ["1"],
        "status": ["active"],
        "count": ["true"],
    }
    assert link.startswith("</v1/users?")


def test_a_page_that_is_exactly_full_is_the_last(stage: Stage) -> None:
    page = stage.as_(ALICE).get("/v1/users?limit=5").json

    assert (len(page["items"]), page["next"]) == (5, None)


def test_daves_sessions_of_one_moment_are_told_apart(stage: Stage) -> None:
    """Sorted by id, which is unique, and not by a time that two rows may share."""
    dave = stage.as_(DAVE)
    for _ in range(6):
        stage.as_(DAVE)
    stage.execute(
        "UPDATE sessions SET created_at = last_seen_at",
        "UPDATE sessions SET created_at = '2026-11-22 00:00:00'",
    )

    walked = names(walk(dave, "/v1/me/sessions", 2))

    assert len(walked) == len(set(walked)) == 7
