"""Replaying the trail reproduces every as-of answer: random histories, judged by a second opinion that reads events alone."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
import time_machine

from rbac_api import clock
from tests.builders import Caller, Stage
from tests.capabilities.access.replay import World
from tests.cast import ALICE
from tests.sizes import sized

CHANGES = sized(30, 300)
ROLES = ("clerk", "chief", "payer", "guest")
THINGS = ("invoices:read", "invoices:approve", "payments:release", "extra:use")
PEOPLE = ("bob", "dave", "erin", "frank", "grace", "heidi")
SEEDS = {"sqlite": 1, "postgresql": 2}


class Chance:
    """Changes at random, through the API: some are refused, which is as well."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage, self.random, self.alice = stage, Random(seed), stage.as_(ALICE)
        self.ways = (
            self.assign, self.assign, self.assign, self.revoke, self.grant, self.grant, self.withdraw, self.inherit, self.inherit,
            self.disinherit, self.create_role, self.create_role, self.delete_role, self.status, self.status, self.delete_user,
            self.permission,
        )  # fmt: skip
        self.alice.post("/v1/permissions", json={"name": "extra:use", "description": "Use."})
        for name in PEOPLE[2:]:
            self.alice.post("/v1/users", json={"username": name})
        for name in ROLES:
            self.alice.post("/v1/roles", json={"name": name})

    def change(self) -> int:
        return int(self.random.choice(self.ways)().status_code)

    def one(self, of: tuple[str, ...]) -> str:
        return self.random.choice(of)

    def person(self) -> str:
        name = self.one(PEOPLE)
        found = self.stage.query("SELECT id FROM users WHERE username_canonical = ?", name)
        return (
            f"/v1/users/{self.stage.user_id(name)}"
            if found
            else "/v1/users/0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"
        )

    def assign(self) -> Any:
        terms: dict[str, Any] = {}
        now, later = clock.now(), self.random.randrange(1, 40)
        if self.random.random() < 0.3:
            terms["starts_at"] = clock.rfc3339(now + timedelta(seconds=later))
        if self.random.random() < 0.5:
            terms["expires_at"] = clock.rfc3339(now + timedelta(seconds=later + self.random.randrange(1, 20)))
        if self.random.random() < 0.2:
            terms["mode"] = self.one(("active", "eligible"))
        return self.alice.put(f"{self.person()}/roles/{self.one(ROLES)}", json=terms or None)

    def revoke(self) -> Any:
        return self.alice.delete(f"{self.person()}/roles/{self.one(ROLES)}")

    def grant(self) -> Any:
        return self.alice.put(f"/v1/roles/{self.one(ROLES)}/permissions/{self.one(THINGS)}")

    def withdraw(self) -> Any:
        return self.alice.delete(f"/v1/roles/{self.one(ROLES)}/permissions/{self.one(THINGS)}")

    def inherit(self) -> Any:
        return self.alice.put(f"/v1/roles/{self.one(ROLES)}/inherits/{self.one(ROLES)}")

    def disinherit(self) -> Any:
        return self.alice.delete(f"/v1/roles/{self.one(ROLES)}/inherits/{self.one(ROLES)}")

    def create_role(self) -> Any:
        known = [thing for thing in THINGS[:3] if self.random.random() < 0.4]
        return self.alice.post("/v1/roles", json={"name": self.one(ROLES), "permissions": known})

    def delete_role(self) -> Any:
        return self.if_there(f"/v1/roles/{self.one(ROLES)}", "?force=true")

    def delete_user(self) -> Any:
        return self.if_there(self.person())

    def if_there(self, path: str, query: str = "") -> Any:
        found = self.alice.get(path)
        tag = found.headers.get("ETag", '"none"')
        return self.alice.delete(path + query, headers={"If-Match": tag})

    def status(self) -> Any:
        path = self.person()
        tag = self.alice.get(path).headers.get("ETag", '"none"')
        body = {"status": self.one(("active", "disabled"))}
        return self.alice.patch(path, json=body, headers={"If-Match": tag})

    def permission(self) -> Any:
        if self.random.random() < 0.5:
            return self.alice.delete("/v1/permissions/extra:use?force=true")
        return self.alice.post("/v1/permissions", json={"name": "extra:use", "description": "Use."})


def trail(alice: Caller) -> list[dict[str, Any]]:
    text = alice.get("/v1/audit/events", headers={"Accept": "application/x-ndjson"}).text
    return sorted((json.loads(line) for line in text.splitlines()), key=lambda event: int(event["seq"]))


def check(alice: Caller, world: World, asked: tuple[datetime, str, int]) -> None:
    """What is answered about that moment: about permissions, a user and a role in turn."""
    at, user, number = asked
    moment = f"at={clock.rfc3339(at)}"
    for thing in (THINGS[number % 4], "extra:use"):
        answer = alice.get(f"/v1/permissions/{thing}/holders?limit=200&{moment}")
        holders = (
            [item["user"]["username"] for item in answer.json["items"]] if answer.status_code == 200 else []
        )
        assert holders == world.holders(thing, at), (thing, moment)
    held = alice.get(f"/v1/users/{user}/roles?{moment}")
    assert (held.status_code == 200) is (user in world.people), moment
    if user in world.people:
        assert {each["role"] for each in held.json["effective"]} == world.roles_of(user, at), moment
        mine = set(THINGS) & set(held.json["permissions"])
        assert mine == set(THINGS) & world.may(user, at), moment
        said = alice.get(f"/v1/users/{user}/access?permission=invoices:read&{moment}").json
        assert said["decision"] is ("invoices:read" in mine), moment
    role = ROLES[number // 4 % 4]
    shown = alice.get(f"/v1/roles/{role}?{moment}")
    assert (shown.status_code == 200) is (role in world.roles), (role, moment)
    if role in world.roles:
        assert set(shown.json["permissions"]) == world.held_by(role), moment
        assert set(shown.json["inherits"]) == world.roles[role].inherits, moment


@pytest.mark.soak
def test_replaying_the_trail_reproduces_every_answer_as_of_any_moment(stage: Stage) -> None:
    chance = Chance(stage, SEEDS[stage.engine])
    first = len(stage.events())
    between: list[datetime] = []
    with time_machine.travel(
        clock.now()
    ) as traveller:  # it ticks on: rows and events are written at moments of their own
        done = 0
        while done < CHANGES:
            done += chance.change() < 300
            traveller.shift(0.2)
            between.append(clock.now())
            traveller.shift(0.2)
        events = trail(chance.alice)
        moments = sorted({*between, *(datetime.fromisoformat(event["at"]) for event in events[first:])})
        people = sorted({event["target"]["id"] for event in events if event["action"] == "user.created"})
        for number, at in enumerate(moments):
            known = [event for event in events if datetime.fromisoformat(event["at"]) <= at]
            if not same_request(events, known):  # else in the middle of a transaction
                user = people[number % len(people)]
                check(chance.alice, World.after(known), (at, user, number))


def same_request(events: list[dict[str, Any]], known: list[dict[str, Any]]) -> bool:
    """Whether the next event belongs to the same request as the last."""
    later = events[len(known) :]
    return bool(later) and later[0]["request_id"] == known[-1]["request_id"]
