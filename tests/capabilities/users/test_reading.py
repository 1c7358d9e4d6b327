"""Reading users: one, many, filtered, page by page."""

from tests.builders import Caller, Stage
from tests.cast import ALICE, BOB, CAROL, DAVE, MALLORY

EVERYBODY = ["alice", "bob", "carol", "dave", "mallory"]


def names(caller: Caller, query: str = "") -> list[str]:
    return [user["username"] for user in caller.get(f"/v1/users{query}").json["items"]]


def test_carol_sees_everybody_in_order_of_name(stage: Stage) -> None:
    assert names(stage.as_(CAROL)) == EVERYBODY


def test_carol_walks_the_pages_and_meets_everybody_once_while_somebody_joins(stage: Stage) -> None:
    carol, met, path = stage.as_(CAROL), [], "/v1/users?limit=2&count=true"

    while path:
        page = carol.get(path)
        met += [user["username"] for user in page.json["items"]]
        assert page.json["total"] in (5, 6)
        path = page.headers.get("Link", "").partition(">")[0].lstrip("<")
        assert bool(path) is (page.json["next"] is not None)
        if len(met) == 2:
            stage.as_(ALICE).post("/v1/users", json={"username": "aaron"})

    assert met == EVERYBODY


def test_carol_counts_only_when_she_asks_and_what_matches(stage: Stage) -> None:
    carol = stage.as_(CAROL)

    assert "total" not in carol.get("/v1/users").json
    assert carol.get("/v1/users?count=true&limit=1&status=disabled").json["total"] == 1


def test_carol_finds_people_by_the_beginning_of_name_or_address(stage: Stage) -> None:
    alice, carol = stage.as_(ALICE), stage.as_(CAROL)
    alice.patch_now(f"/v1/users/{stage.user_id(DAVE)}", {"email": "Bo_Derek@example.com"})

    assert names(carol, "?q=BO") == ["bob", "dave"]
    assert names(carol, "?q=bo_") == ["dave"]  # no wildcard
    assert names(carol, "?q=%25") == []


def test_carol_finds_people_by_status(stage: Stage) -> None:
    carol = stage.as_(CAROL)

    assert names(carol, "?status=disabled") == ["mallory"]
    assert names(carol, "?status=active") == ["alice", "bob", "carol", "dave"]
    assert carol.get("/v1/users?status=deleted").status_code == 422


def test_carol_finds_people_by_a_role_they_effectively_hold(stage: Stage) -> None:
    alice, carol = stage.as_(ALICE), stage.as_(CAROL)
    alice.post("/v1/roles", json={"name": "chief"})
    alice.put("/v1/roles/chief/inherits/auditor")
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/chief")

    assert names(carol, "?role=auditor") == ["carol", "dave"]
    assert names(carol, "?role=chief") == ["dave"]
    assert names(carol, "?role=nobody-has-it") == []


def test_carol_finds_people_by_the_time_they_joined(stage: Stage) -> None:
    alice, carol = stage.as_(ALICE), stage.as_(CAROL)
    mallory = carol.get(f"/v1/users/{stage.user_id(MALLORY)}").json
    alice.post("/v1/users", json={"username": "zoe"})

    assert names(carol, f"?created_after={mallory['created_at']}") == ["zoe"]


def test_filters_narrow_each_other(stage: Stage) -> None:
    assert names(stage.as_(CAROL), "?role=role-manager&status=active") == ["bob"]


def test_bob_is_told_nothing_new_when_nothing_is(stage: Stage) -> None:
    bob, path = stage.as_(BOB), f"/v1/users/{stage.user_id(DAVE)}"
    tag = bob.get(path).headers["ETag"]

    for known in (tag, f"W/{tag}", f'"old", {tag}', "*"):
        answer = bob.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)
    assert bob.get(path, headers={"If-None-Match": '"old"'}).json["username"] == "dave"


def test_nobody_is_found_who_is_not_there(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.user_id(DAVE)
    alice.delete_now(f"/v1/users/{dave}")

    for unknown in (dave, "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57", "dave", "erin"):
        answer = alice.get(f"/v1/users/{unknown}")
        assert (answer.status_code, answer.json["code"]) == (404, "user.not_found")
