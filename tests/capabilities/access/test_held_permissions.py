"""Everything that an account may do: exactly what each question about a single permission says, with the same paths."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest

from rbac_api import clock
from rbac_api.capabilities.access import held_permissions
from tests.builders import Caller, Stage
from tests.capabilities.constraints.rules import constrain, give
from tests.capabilities.oauth.robot import make_robot
from tests.capabilities.second_factor.device import enrolled, strongly
from tests.cast import ALICE, BOB, CAROL, DAVE, PASSWORD

DAVES = "/v1/users/dave"


def everything(caller: Caller, path: str, query: str = "") -> dict[str, list[Any]]:
    """All pages, by permission; in order, and each permission once."""
    found = caller.every(f"{path}/permissions", query, limit=3)
    names = [item["permission"] for item in found]
    assert names == sorted(set(names))
    assert not any(item["truncated"] for item in found)
    return {item["permission"]: item["paths"] for item in found}


def one_by_one(alice: Caller, ask: Caller, path: str, query: str = "") -> dict[str, list[Any]]:
    """What is allowed of all permissions that there are, asked one at a time."""
    catalogue = [item["name"] for item in alice.get("/v1/permissions?limit=200").json["items"]]
    asked = {name: ask.get(f"{path}/access?permission={name}{query}").json for name in catalogue}
    return {name: found["paths"] for name, found in asked.items() if found.get("decision")}


def confuse(alice: Caller, chance: Random) -> None:
    """Roles at random above each other, some that need a second factor, for Dave now, later, or once activated."""
    things = ("invoices:read", "invoices:approve", "payments:release", "users:read", "audit:read")
    names = [f"role-{number}" for number in range(7)]
    for name in names:
        held = chance.sample(things, chance.randrange(3))
        body = {"name": name, "permissions": held, "requires_mfa": chance.random() < 0.3}
        assert alice.post("/v1/roles", json=body).status_code == 201
    for senior in range(1, len(names)):
        for junior in chance.sample(range(senior), min(senior, chance.randrange(3))):
            assert alice.put(f"/v1/roles/{names[senior]}/inherits/{names[junior]}").status_code == 201
    if chance.random() < 0.5:
        constrain(alice, "dynamic", *chance.sample(names, 2), limit=2)
    soon = clock.rfc3339(clock.now() + timedelta(days=1))
    for name in chance.sample(names, 4):
        give(
            alice,
            DAVE,
            name,
            **chance.choice(({}, {}, {"mode": "eligible"}, {"starts_at": soon}, {"expires_at": soon})),
        )


@pytest.mark.large
@pytest.mark.parametrize("seed", range(6))
def test_it_is_what_each_question_alone_says(stage: Stage, seed: int) -> None:
    alice = stage.as_(ALICE)
    confuse(alice, Random(seed))
    at = clock.rfc3339(clock.now())
    give(alice, DAVE, "auditor")

    for query in ("", "&second_factor=false", f"&at={at}", f"&at={at}&second_factor=false"):
        assert everything(alice, DAVES, query) == one_by_one(alice, alice, DAVES, query)
    assert everything(alice, "/v1/users/bob") == one_by_one(alice, alice, "/v1/users/bob")
    known = alice.get("/v1/permissions?count=true").json["total"]
    assert len(everything(alice, "/v1/users/alice")) == known
    dave = stage.as_(DAVE)
    assert everything(dave, "/v1/me") == one_by_one(alice, dave, "/v1/me")


def test_ones_own_are_those_of_the_session_and_of_its_kind_in_the_past(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    body = {"name": "payer", "permissions": ["payments:release"], "requires_mfa": True}
    assert alice.post("/v1/roles", json=body).status_code == 201
    give(alice, DAVE, "payer")
    give(alice, DAVE, "role-manager")
    at, weakly = clock.rfc3339(clock.now()), stage.as_(DAVE)
    strong = strongly(stage, DAVE, enrolled(weakly).code(1))
    chosen = stage.caller()
    signed = alice.client.post("/v1/auth/login", json={"username": "bob", "password": PASSWORD, "roles": []})
    chosen.tokens = signed.json

    assert "payments:release" not in everything(weakly, "/v1/me")
    assert "payments:release" in everything(strong, "/v1/me")
    assert "payments:release" not in everything(weakly, "/v1/me", f"&at={at}")
    assert "payments:release" in everything(strong, "/v1/me", f"&at={at}")
    assert everything(chosen, "/v1/me") == {}
    assert "users:read" in everything(chosen, "/v1/me", f"&at={at}")
    assert chosen.get("/v1/me/permissions?at=2020-01-01T00:00:00Z").status_code == 404


def test_a_service_account_has_no_second_factor_and_names_work(stage: Stage) -> None:
    alice, robot = stage.as_(ALICE), make_robot(stage, "auditor")
    path = f"/v1/service-accounts/{robot.id}"

    assert everything(alice, path) == one_by_one(alice, alice, path)
    assert everything(alice, "/v1/service-accounts/invoice-robot") == everything(alice, path)
    assert alice.get("/v1/service-accounts/nobody/permissions").status_code == 404
    assert alice.get("/v1/users/invoice-robot/permissions").status_code == 404


def test_only_who_reads_users_sees_those_of_others(stage: Stage) -> None:
    dave, carol = stage.as_(DAVE), stage.as_(CAROL)

    assert dave.get("/v1/users/dave/permissions").json["code"] == "access.denied"
    assert dave.get("/v1/service-accounts/x/permissions").json["code"] == "access.denied"
    assert dave.get("/v1/me/permissions").json == {"items": [], "next": None}
    assert carol.get("/v1/users/nobody/permissions").json["code"] == "user.not_found"
    assert carol.get("/v1/users/bob/permissions?at=2999-01-01T00:00:00Z").status_code == 422
    assert carol.get("/v1/users/bob/permissions?at=2020-01-01T00:00:00Z").status_code == 404
    total = carol.get("/v1/users/bob/permissions?limit=1&count=true").json["total"]
    assert total == len(everything(carol, "/v1/users/bob"))
    assert everything(carol, f"/v1/users/{stage.user_id('mallory')}") == {}


def test_a_page_ends_early_where_paths_are_very_many(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_permissions, "MAX_STEPS", 2)
    alice = stage.as_(ALICE)

    page = alice.get("/v1/users/bob/permissions").json

    assert len(page["items"]) == 3
    assert page["next"]
    monkeypatch.undo()
    assert set(everything(alice, "/v1/users/bob")) > {item["permission"] for item in page["items"]}
    assert BOB.role == page["items"][0]["paths"][0][0]["role"]
