"""The list of users: who has not signed in for long, who has no role, who has a second factor, in any order."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from itertools import product
from typing import Any

import pytest
import time_machine

from rbac_api import clock
from rbac_api.database import filters
from tests.builders import Caller, Stage
from tests.capabilities.constraints.rules import give, take
from tests.capabilities.oauth.robot import make_robot
from tests.capabilities.second_factor.device import enrolled
from tests.cast import ALICE, BOB, CAROL, DAVE

LIST = "/v1/users"
SORTS = [sign + name for name in ("username", "created_at", "last_login_at") for sign in ("", "-")]


def entries(caller: Caller, query: str = "", limit: int = 200) -> list[dict[str, Any]]:
    return caller.every(LIST, query, limit)


def scene(stage: Stage) -> Caller:
    """Bob signed in a hundred days ago, Carol and Alice today; Dave has a second factor; Erin and Frank came at once and never used it."""
    with time_machine.travel(clock.now() - timedelta(days=100)):
        stage.as_(BOB)
    stage.as_(CAROL)
    enrolled(stage.as_(DAVE))
    alice = stage.as_(ALICE)
    alice.post("/v1/me/totp", json={"current_password": "wrong"})
    assert alice.post("/v1/me/totp", json={"current_password": "tulip lantern gravel 42"}).status_code == 201
    with time_machine.travel(clock.now(), tick=False):
        for name in ("frank", "erin"):
            assert alice.post(LIST, json={"username": name}).status_code == 201
    give(alice, "frank", "auditor", mode="eligible")
    give(alice, "erin", "auditor")
    take(alice, "erin", "auditor")
    make_robot(stage, "auditor")
    return alice


def names(found: list[dict[str, Any]]) -> list[str]:
    return [user["username"] for user in found]


CASES = {
    "&last_login_before=": {"bob"},
    "&never_signed_in=true": {"erin", "frank", "mallory"},
    "&never_signed_in=false": {"alice", "bob", "carol", "dave"},
    "&without_roles=true": {"dave", "erin"},
    "&without_roles=false": {"alice", "bob", "carol", "frank", "mallory"},
    "&second_factor=true": {"dave"},
    "&second_factor=false": {"alice", "bob", "carol", "erin", "frank", "mallory"},
    "&status=disabled": {"mallory"},
    "&created_after=": {"alice", "bob", "carol", "dave", "erin", "frank", "mallory"},
}


@pytest.mark.parametrize("few", [filters.FEW, 0], ids=["few fit", "many fit"])
def test_every_filter_and_every_two_select_whom_they_say(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    alice = scene(stage)
    monkeypatch.setattr(filters, "FEW", few)
    long_ago = clock.rfc3339(clock.now() - timedelta(days=90))

    for one, other in product(CASES, CASES):
        query = "".join(
            name + (long_ago if name.endswith("=") else "") for name in dict.fromkeys((one, other))
        )
        if one == other or one.partition("=")[0] != other.partition("=")[0]:
            assert set(names(entries(alice, query))) == CASES[one] & CASES[other], query


@pytest.mark.parametrize("sort", SORTS)
def test_every_order_is_kept_from_page_to_page(stage: Stage, sort: str) -> None:
    alice = scene(stage)
    everybody, column = entries(alice), sort.lstrip("-")

    def place(user: dict[str, Any]) -> tuple[str, ...]:
        return (user["username"],) if column == "username" else (user[column] or "", user["id"])

    expected = sorted(everybody, key=place, reverse=sort.startswith("-"))
    for limit in (1, 2, 3, 7):
        assert entries(alice, f"&sort={sort}", limit) == expected, limit
    narrowed = [user for user in expected if user["last_login_at"] is None]
    assert entries(alice, f"&sort={sort}&never_signed_in=true", 1) == narrowed
    table = alice.get(f"{LIST}?sort={sort}", headers={"Accept": "text/csv"}).text
    assert [row["username"] for row in csv.DictReader(io.StringIO(table))] == names(expected)


@pytest.mark.parametrize("sort", SORTS)
def test_a_file_of_many_batches_is_in_the_order_too(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, sort: str
) -> None:
    alice = scene(stage)
    monkeypatch.setattr("rbac_api.capabilities.users.listing.CHUNK", 2)

    table = alice.get(f"{LIST}?sort={sort}", headers={"Accept": "text/csv"}).text

    found = [row["username"] for row in csv.DictReader(io.StringIO(table))]
    assert found == names(entries(alice, f"&sort={sort}"))


def test_a_cursor_belongs_to_its_order_and_nothing_else_is_one(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    cursor = carol.get(f"{LIST}?limit=1&sort=created_at").json["next"]

    assert carol.get(f"{LIST}?limit=1&sort=-created_at&cursor={cursor}").status_code == 422
    for query in ("sort=email", "sort=", "sort=--username", "never_signed_in=yes", "last_login_before=soon"):
        assert carol.get(f"{LIST}?{query}").status_code == 422, query
    total = carol.get(f"{LIST}?never_signed_in=true&count=true&limit=1").json["total"]
    assert total == 4  # Alice, Bob, Dave and Mallory


def test_the_past_has_the_users_the_status_and_the_roles_of_then(stage: Stage) -> None:
    alice = scene(stage)
    asked = (
        "",
        "&status=active",
        "&status=disabled",
        "&role=auditor",
        "&without_roles=true",
        "&sort=-created_at",
    )
    was = {query: entries(alice, query) for query in asked}
    at = clock.rfc3339(clock.now())
    alice.patch_now("/v1/users/mallory", {"status": "active"})
    alice.patch_now("/v1/users/carol", {"status": "disabled"})
    take(alice, "carol", "auditor")
    give(alice, "erin", "auditor")
    tag = alice.get("/v1/users/dave").headers["ETag"]
    assert alice.delete("/v1/users/dave", headers={"If-Match": tag}).status_code == 204
    alice.post(LIST, json={"username": "later"})

    for query, found in was.items():
        then = entries(alice, f"{query}&at={at}", 2)
        assert [(one["username"], one["status"]) for one in then] == [
            (one["username"], one["status"]) for one in found
        ], query
    table = alice.get(f"{LIST}?at={at}", headers={"Accept": "text/csv"}).text
    assert [row["status"] for row in csv.DictReader(io.StringIO(table))] == [one["status"] for one in was[""]]
    assert alice.get(f"{LIST}?at=2999-01-01T00:00:00Z").json["errors"][0]["code"] == "at.future"
    assert entries(alice, "&at=2020-01-01T00:00:00Z&status=active") == []
