"""What an account or a role holds and nobody used, and who used a permission: in whole days, with the window stated."""

from __future__ import annotations

from random import Random

import pytest

from rbac_api.database import filters
from tests.builders import Caller, Stage
from tests.capabilities.activations.scenes import give
from tests.capabilities.oauth.robot import as_robot, make_robot
from tests.capabilities.use.scenes import day, names, since, used
from tests.cast import ALICE, BOB, BOBS_PERMISSIONS, CAROL, DAVE

BOBS = "/v1/users/bob/unused"


def test_what_bob_did_not_use_is_listed_with_the_roles_that_grant_it(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    used(stage, BOB, "users:read", "roles:read")
    used(stage, BOB, "invoices:approve", ago=120)

    assert names(alice, BOBS) == sorted(set(BOBS_PERMISSIONS) - {"users:read", "roles:read"})
    found = {item["permission"]: item for item in alice.get(f"{BOBS}?limit=200").json["items"]}
    assert found["invoices:approve"]["last_used"].startswith(day(120).isoformat())
    assert found["invoices:read"] == {
        "permission": "invoices:read",
        "via": ["role-manager"],
        "last_used": None,
    }
    assert "invoices:approve" not in names(alice, BOBS, f"&since={since(120)}")


def test_the_window_is_stated_and_begins_with_the_day(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    used(stage, BOB, "users:read", ago=10)
    asked = f"{day(10).isoformat()}T23:00:00Z"
    answer = alice.get(f"{BOBS}?limit=200&since={asked}").json

    assert answer["window"]["since"] == answer["window"]["recorded_since"] == since(10)
    assert answer["window"]["until"] > asked
    assert "users:read" not in [item["permission"] for item in answer["items"]]
    assert alice.get(BOBS).json["window"]["since"] == since(90)


def test_while_nothing_is_recorded_the_answer_says_so(stage: Stage) -> None:
    answer = stage.as_(ALICE).get(f"{BOBS}?count=true").json

    assert answer["window"]["recorded_since"] is None
    assert answer["total"] == len(BOBS_PERMISSIONS)


def test_what_needs_an_activation_is_held_too(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    give(alice, DAVE, "role-manager", mode="eligible")
    used(stage, DAVE, "users:read")

    assert names(alice, "/v1/users/dave/unused") == sorted(set(BOBS_PERMISSIONS) - {"users:read"})


def test_a_service_account_has_unused_permissions_too(stage: Stage) -> None:
    robot = make_robot(stage, "auditor")
    caller, alice = as_robot(stage, robot), stage.as_(ALICE)
    caller.get("/v1/users")
    stage.guard.runtime.uses.flush()
    found = names(alice, f"/v1/service-accounts/{robot.name}/unused")

    assert "roles:read" in found
    assert "users:read" not in found
    assert alice.get(f"/v1/users/{robot.id}/unused").status_code == 404
    assert alice.get("/v1/service-accounts/unknown/unused").status_code == 404


@pytest.mark.parametrize("few", [0, 5000])
def test_a_permission_of_a_role_is_used_if_a_holder_used_it(
    stage: Stage, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filters, "FEW", few)
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "reader", "permissions": ["invoices:read", "payments:release"]})
    alice.post("/v1/roles", json={"name": "approver", "permissions": ["invoices:approve"]})
    alice.put("/v1/roles/approver/inherits/reader")
    give(alice, DAVE, "approver")
    used(stage, BOB, "payments:release")  # holds it no more, and never by this role
    used(stage, DAVE, "invoices:read")

    assert names(alice, "/v1/roles/reader/unused") == ["payments:release"]
    assert alice.get("/v1/roles/approver/unused").json["items"] == [
        {"permission": "invoices:approve", "direct": True},
        {"permission": "payments:release", "direct": False},
    ]
    alice.delete("/v1/users/dave/roles/approver")
    assert names(alice, "/v1/roles/reader/unused") == ["invoices:read", "payments:release"]


def test_who_used_a_permission_is_listed_with_how_often_and_when(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    for ago in (0, 3, 200):
        used(stage, BOB, "invoices:read", ago=ago, times=5)
    used(stage, BOB, "invoices:read", ago=3, factor=True)
    used(stage, DAVE, "invoices:read", ago=1)
    path = "/v1/permissions/invoices:read/use"
    first = alice.get(f"{path}?limit=1&count=true").json
    second = alice.get(f"{path}?limit=1&cursor={first['next']}&count=true").json

    [bob], [dave] = first["items"], second["items"]
    assert bob["user"] == {"id": stage.user_id(BOB), "username": "bob"}
    assert (bob["kind"], bob["times"], bob["days"]) == ("user", 11, 2)
    assert bob["last_used"].startswith(day(0).isoformat())
    assert (dave["user"]["username"], dave["times"], dave["days"]) == ("dave", 1, 1)
    assert (first["total"], second["next"]) == (2, None)
    assert alice.get("/v1/permissions/invoices:burn/use").status_code == 404


def test_who_used_what_is_not_for_those_who_may_not_read_users(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "cataloguer", "permissions": ["permissions:read"]})
    give(alice, DAVE, "cataloguer")
    refused = stage.as_(DAVE).get("/v1/permissions/invoices:read/use")

    assert refused.status_code == 403
    assert refused.json["required"] == "users:read"


def test_what_a_service_requires_besides_the_route_is_a_use_too(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    stage.guard.runtime.uses.forget()
    carol.get("/v1/permissions/invoices:read/use")
    carol.get(f"/v1/access/diff?role=auditor&from={since(0)}")
    stage.guard.runtime.uses.flush()
    rows = stage.query("SELECT permission FROM permission_uses ORDER BY permission")

    assert rows == [("permissions:read",), ("roles:read",), ("users:read",)]


@pytest.mark.parametrize(
    "path",
    [BOBS, "/v1/roles/auditor/unused", "/v1/permissions/users:read/use"],
)
def test_a_window_in_the_future_is_refused(stage: Stage, path: str) -> None:
    answer = stage.as_(ALICE).get(f"{path}?since=2999-01-01T00:00:00Z")

    assert answer.status_code == 422
    assert [(fault["pointer"], fault["code"]) for fault in answer.json["errors"]] == [("/since", "at.future")]


def test_an_unknown_user_or_role_is_not_found(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    assert alice.get("/v1/users/eve/unused").status_code == 404
    assert alice.get("/v1/roles/unknown/unused").status_code == 404


PERMISSIONS = ("invoices:read", "invoices:approve", "payments:release", "users:read", "audit:read")


def confuse(alice: Caller, stage: Stage, chance: Random) -> dict[str, set[str]]:
    """Roles at random above each other, for two users, with uses at random; what each used in the last 30 days."""
    for number in range(5):
        held = chance.sample(PERMISSIONS, chance.randrange(4))
        alice.post("/v1/roles", json={"name": f"role-{number}", "permissions": held})
        for junior in chance.sample(range(number), chance.randrange(min(number, 2) + 1)):
            alice.put(f"/v1/roles/role-{number}/inherits/role-{junior}")
    recent: dict[str, set[str]] = {"bob": set(), "dave": set()}
    for username, lately in recent.items():
        for role in chance.sample(range(5), 2):
            give(alice, username, f"role-{role}", mode=chance.choice(["active", "eligible"]))
        for permission in chance.sample(PERMISSIONS, 3):
            ago = chance.choice([0, 29, 30, 31, 100])
            used(stage, username, permission, ago=ago)
            if ago <= 30:
                lately.add(permission)
    return recent


@pytest.mark.parametrize("seed", range(4))
def test_every_list_says_what_a_count_by_hand_says(stage: Stage, seed: int) -> None:
    alice = stage.as_(ALICE)
    recent = confuse(alice, stage, Random(seed))
    roles = {role["name"]: role for role in alice.get("/v1/roles?limit=200").json["items"]}
    holders: dict[str, set[str]] = {name: set() for name in roles}
    for username, used_lately in recent.items():
        direct = [one["role"] for one in alice.get(f"/v1/users/{username}/roles").json["direct"]]
        held = {name for role in direct for name in roles[role]["effective_permissions"]}
        assert names(alice, f"/v1/users/{username}/unused", f"&since={since(30)}") == sorted(
            held - used_lately
        )
        for role in direct:
            for name in reach(roles, role):
                holders[name].add(username)
    for name in (name for name in roles if name.startswith("role-")):
        by_holders = set().union(*(recent[username] for username in holders[name]))
        unused = set(roles[name]["effective_permissions"]) - by_holders
        assert names(alice, f"/v1/roles/{name}/unused", f"&since={since(30)}") == sorted(unused)


def reach(roles: dict[str, dict[str, list[str]]], role: str) -> set[str]:
    return {role}.union(*(reach(roles, junior) for junior in roles[role]["inherits"]))
