"""Who may do what, and why: told to whoever may know, in the words of those who made it so."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
import time_machine

from rbac_api import clock
from tests.builders import Caller, Stage
from tests.capabilities.constraints.rules import constrain, give
from tests.capabilities.oauth.robot import make_robot
from tests.capabilities.second_factor.device import enrolled, strongly
from tests.cast import ALICE, BOB, CAROL, DAVE

NOBODY = "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"
READ = "permission=invoices:read"


def path_of(stage: Stage, person: Any) -> str:
    return f"/v1/users/{stage.user_id(person)}"


def chief_over_clerk(alice: Caller) -> None:
    """The chief inherits the clerk, who reads invoices."""
    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"]})
    alice.post("/v1/roles", json={"name": "chief", "permissions": ["invoices:approve"]})
    assert alice.put("/v1/roles/chief/inherits/clerk").status_code == 201


# -- attacks ------------------------------------------------------------------------------------------------------------------------


def test_dave_explains_nobody_but_himself(stage: Stage) -> None:
    dave = stage.as_(DAVE)

    for person in (ALICE, DAVE):
        assert dave.get(f"{path_of(stage, person)}/access?{READ}").status_code == 403
    assert dave.get(f"/v1/me/access?{READ}").json["decision"] is False
    assert dave.get(f"/v1/me/access?{READ}&user={stage.user_id(ALICE)}").status_code == 422


def test_nearest_names_no_role_that_the_asker_cannot_hand_out(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"]})
    alice.post("/v1/roles", json={"name": "payer", "permissions": ["payments:release"]})
    daves = f"{path_of(stage, DAVE)}/access?permission="

    assert alice.get(daves + "invoices:read").json["nearest"] == ["clerk", "role-manager", "admin"]
    assert stage.as_(BOB).get(daves + "invoices:read").json["nearest"] == ["clerk", "role-manager"]
    assert stage.as_(BOB).get(daves + "payments:release").json["nearest"] == []  # Bob holds it not
    assert stage.as_(CAROL).get(daves + "invoices:read").json["nearest"] == []  # Carol assigns nothing
    assert stage.as_(DAVE).get(f"/v1/me/access?{READ}").json["nearest"] == []


def test_nearest_is_empty_where_no_role_would_help_or_the_target_is_stronger(stage: Stage) -> None:
    alice, bob = stage.as_(ALICE), stage.as_(BOB)
    alice.post("/v1/roles", json={"name": "payer", "permissions": ["payments:release"]})
    alice.put(f"{path_of(stage, DAVE)}/roles/payer")

    stronger = bob.get(f"{path_of(stage, DAVE)}/access?{READ}").json
    disabled = alice.get(f"/v1/users/{stage.user_id('mallory')}/access?{READ}").json

    assert (stronger["decision"], stronger["nearest"]) == (False, [])
    assert ([reason["code"] for reason in disabled["because"]], disabled["nearest"]) == (["disabled"], [])


Given = tuple[Any, str, dict[str, Any]]
FOR_A_TIME = {"expires_at": "2040-01-01T00:00:00Z"}
ELIGIBLE = {"mode": "eligible"}
RULES: dict[str, tuple[Any, list[Given], bool]] = {
    "apart from what he has": (("static", "clerk", "payer", 2), [(DAVE, "payer", {})], True),
    "apart from what he will have": (("static", "clerk", "payer", 2), [(DAVE, "payer", ELIGIBLE)], True),
    "apart from what he has not": (("static", "clerk", "payer", 2), [], False),
    "not to be active together": (("dynamic", "clerk", "payer", 2), [(DAVE, "payer", {})], True),
    "only with what he has not": (("requires", "clerk", "payer", None), [], True),
    "only with what he has": (("requires", "clerk", "payer", None), [(DAVE, "payer", {})], False),
    "only with what he has for a time": (("requires", "clerk", "payer", None), [(DAVE, "payer", FOR_A_TIME)], True),
    "full": (("max-holders", "clerk", "payer", 1), [(CAROL, "clerk", {})], True),
    "full for a time": (("max-holders", "clerk", "payer", 1), [(CAROL, "clerk", FOR_A_TIME)], True),
    "full with him": (("max-holders", "clerk", "payer", 1), [(DAVE, "clerk", ELIGIBLE)], False),
    "full with him for a time": (("max-holders", "clerk", "payer", 1), [(DAVE, "clerk", {**ELIGIBLE, **FOR_A_TIME})], False),
    "not full": (("max-holders", "clerk", "payer", 2), [(CAROL, "clerk", {})], False),
    "about others": (("max-holders", "payer", "auditor", 1), [(CAROL, "clerk", {})], False),
}  # fmt: skip


@pytest.mark.parametrize("case", RULES)
def test_nearest_names_no_role_that_a_constraint_forbids(stage: Stage, case: str) -> None:
    (kind, first, second, limit), given, forbidden = RULES[case]
    alice = stage.as_(ALICE)
    for name, permissions in (("clerk", ["invoices:read"]), ("payer", [])):
        alice.post("/v1/roles", json={"name": name, "permissions": permissions})
    for person, role, terms in given:
        assert give(alice, person, role, **terms).status_code == 201
    assert constrain(alice, kind, first, second, limit=limit).status_code == 201

    nearest = alice.get(f"{path_of(stage, DAVE)}/access?{READ}").json["nearest"]

    assert nearest == ([] if forbidden else ["clerk"]) + ["role-manager", "admin"]
    if kind != "dynamic":  # what is told is what then happens
        assert give(alice, DAVE, "clerk", mode="active", expires_at=None).status_code == (
            409 if forbidden else 200 if (DAVE, "clerk") in [each[:2] for each in given] else 201
        )


GARBAGE = (
    "", "now", "2026-11-22", "2026-11-22T17:00:00", "2026-11-22T17:00:00+01:00", "0000-01-01T00:00:00Z", "2026-02-30T00:00:00Z",
    "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00", "2026-11-22T17:00:00.1234567890Z", "2026-11-22T24:61:00Z",
    "٢٠٢٦-11-22T17:00:00Z",
)  # fmt: skip


@pytest.mark.parametrize("at", GARBAGE)
def test_a_moment_that_is_none_is_refused(stage: Stage, at: str) -> None:
    answer = stage.as_(ALICE).get(f"{path_of(stage, DAVE)}/access?{READ}&at={at}")

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json["errors"]] == ["/at"]


AS_OF = ("/v1/users/{dave}/access?permission=invoices:read&", "/v1/users/{dave}/roles?", "/v1/roles/admin?", "/v1/roles/admin/members?",
         "/v1/permissions/invoices:read/holders?", "/v1/service-accounts/{robot}/roles?",
         "/v1/service-accounts/{robot}/access?permission=invoices:read&")  # fmt: skip


@pytest.mark.parametrize("path", AS_OF)
def test_the_future_is_nobodys_to_know_and_before_the_beginning_there_was_nothing(
    stage: Stage, path: str
) -> None:
    alice, known = stage.as_(ALICE), {"dave": stage.user_id(DAVE), "robot": make_robot(stage).id}
    asked = path.format(**known)

    for future in ("9999-12-31T23:59:59.999999Z", clock.rfc3339(clock.now() + timedelta(seconds=5))):
        answer = alice.get(f"{asked}at={future}")
        assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "at.future")
    assert alice.get(f"{asked}at=0001-01-01T00:00:00Z").status_code == 404
    offset = (
        (clock.now() - timedelta(hours=0)).isoformat(timespec="milliseconds").replace("+00:00", "%2B00:00")
    )
    assert alice.get(f"{asked}at={offset}").status_code == 200


@pytest.mark.parametrize(
    "query", ["", "permission=", "permission=invoices", "permission=a:b&permission=a:c", "permission=a:b&x=1"]
)
def test_a_question_without_a_permission_is_none(stage: Stage, query: str) -> None:
    alice = stage.as_(ALICE)

    assert alice.get(f"/v1/me/access?{query}").status_code == 422
    assert alice.get(f"{path_of(stage, DAVE)}/access?{query}").status_code == 422


def test_what_does_not_exist_is_not_found(stage: Stage) -> None:
    alice, robot = stage.as_(ALICE), make_robot(stage)

    asked = {
        f"/v1/users/{NOBODY}/access?{READ}": "user.not_found",
        f"/v1/users/{robot.id}/access?{READ}": "user.not_found",
        f"/v1/service-accounts/{stage.user_id(DAVE)}/access?{READ}": "service_account.not_found",
        f"{path_of(stage, DAVE)}/access?permission=no:thing": "permission.not_found",
        "/v1/me/access?permission=no:thing": "permission.not_found",
        "/v1/permissions/no:thing/holders": "permission.not_found",
        "/v1/roles/nothing/members": "role.not_found",
        f"/v1/decisions/{NOBODY}": "decision.not_found",
    }

    assert {path: alice.get(path).json["code"] for path in asked} == asked


# -- what it is for -----------------------------------------------------------------------------------------------------------------


def test_alice_reads_every_step_by_which_dave_may(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    chief_over_clerk(alice)
    until = clock.rfc3339(clock.now() + timedelta(days=1))
    alice.put(f"{path_of(stage, DAVE)}/roles/chief", json={"reason": "covers for Jonas", "expires_at": until})

    told = alice.get(f"{path_of(stage, DAVE)}/access?{READ}").json

    hers = {"id": stage.user_id(ALICE), "username": "alice"}
    assert (told["decision"], told["because"], told["nearest"], told["truncated"]) == (True, [], [], False)
    ((assigned, inherits, holds),) = told["paths"]
    assert all(step["who"] == hers and step["when"] < clock.rfc3339(clock.now()) for step in told["paths"][0])
    assert (assigned["kind"], assigned["role"], assigned["mode"], assigned["why"], assigned["until"]) == (
        "assignment", "chief", "active", "covers for Jonas", until,
    )  # fmt: skip
    assert (inherits["kind"], inherits["role"], inherits["junior"], inherits["until"]) == (
        "inherits",
        "chief",
        "clerk",
        None,
    )
    assert (holds["kind"], holds["role"], holds["permission"], holds["why"]) == (
        "permission",
        "clerk",
        "invoices:read",
        None,
    )


def test_every_way_is_told_and_a_built_in_role_was_made_by_nobody(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    chief_over_clerk(alice)
    for role in ("chief", "clerk"):
        alice.put(f"{path_of(stage, ALICE)}/roles/{role}")

    told = alice.get(f"/v1/me/access?{READ}").json

    assert [[step["role"] for step in path] for path in told["paths"]] == [
        ["admin", "admin"], ["chief", "chief", "clerk"], ["clerk", "clerk"],
    ]  # fmt: skip
    assert told["paths"][0][-1]["who"] is None


def test_alice_reads_why_dave_may_not(stage: Stage) -> None:
    alice, now = stage.as_(ALICE), clock.now()
    chief_over_clerk(alice)
    asked = f"{path_of(stage, DAVE)}/access?{READ}"

    def codes() -> list[str]:
        return [reason["code"] for reason in alice.get(asked).json["because"]]

    assert codes() == ["nothing-grants"]
    later = {"starts_at": clock.rfc3339(now + timedelta(hours=1))}
    alice.put(f"{path_of(stage, DAVE)}/roles/clerk", json=later)
    assert codes() == ["not-started"]
    alice.delete(f"{path_of(stage, DAVE)}/roles/clerk")
    assert codes() == ["nothing-grants"]  # it never began
    alice.put(f"{path_of(stage, DAVE)}/roles/chief", json={"mode": "eligible"})
    assert codes() == ["not-active"]
    alice.delete(f"{path_of(stage, DAVE)}/roles/chief")
    assert codes() == ["expired"]


def test_dave_learns_that_his_session_lacks_a_second_factor(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"], "requires_mfa": True})
    alice.put(f"{path_of(stage, DAVE)}/roles/clerk")
    weak = stage.as_(DAVE)
    device = enrolled(weak)
    strong = strongly(stage, DAVE, device.code(1))

    assert [r["code"] for r in weak.get(f"/v1/me/access?{READ}").json["because"]] == ["mfa"]
    assert strong.get(f"/v1/me/access?{READ}").json["decision"] is True
    assert alice.get(f"{path_of(stage, DAVE)}/access?{READ}").json["decision"] is True


def test_an_activated_role_is_told_with_its_deadline(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"]})
    alice.put(f"{path_of(stage, DAVE)}/roles/clerk", json={"mode": "eligible"})
    dave, other = stage.as_(DAVE), stage.as_(DAVE)
    active = dave.put("/v1/me/activations/clerk", json={"duration": 600, "reason": "month's end"})
    assert active.status_code == 201

    ((assigned, _),) = dave.get(f"/v1/me/access?{READ}").json["paths"]

    assert (assigned["mode"], assigned["until"]) == ("eligible", active.json["until"])
    assert other.get(f"/v1/me/access?{READ}").json["decision"] is False


def test_a_service_account_is_explained_without_a_second_factor(stage: Stage) -> None:
    alice, robot = stage.as_(ALICE), make_robot(stage)
    alice.post("/v1/roles", json={"name": "clerk", "permissions": ["invoices:read"], "requires_mfa": True})
    alice.put(f"{robot.path}/roles/clerk")

    told = alice.get(f"{robot.path}/access?{READ}").json

    assert (told["decision"], [reason["code"] for reason in told["because"]]) == (False, ["mfa"])


def test_an_explanation_as_of_a_moment_knows_nothing_of_what_came_later(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    asked = f"{path_of(stage, DAVE)}/access?{READ}"
    chief_over_clerk(alice)
    before = clock.rfc3339(clock.now())
    alice.put(f"{path_of(stage, DAVE)}/roles/chief")
    during = clock.rfc3339(clock.now())
    alice.delete_now("/v1/roles/chief?force=true")
    alice.delete_now(path_of(stage, DAVE))

    assert alice.get(asked).status_code == 404
    assert alice.get(f"{asked}&at={before}").json["because"][0]["code"] == "nothing-grants"
    told = alice.get(f"{asked}&at={during}").json
    assert (told["decision"], [step["role"] for step in told["paths"][0]]) == (
        True,
        ["chief", "chief", "clerk"],
    )
    assert told["paths"][0][1]["until"] is not None


def test_a_chain_of_a_thousand_is_explained(stage: Stage) -> None:
    alice, now = stage.as_(ALICE), clock.now()
    make_chain(stage, 1000)
    alice.put(f"{path_of(stage, DAVE)}/roles/link-0")

    with time_machine.travel(now + timedelta(minutes=5)):
        told = stage.as_(ALICE).get(f"{path_of(stage, DAVE)}/access?{READ}").json

    assert [len(path) for path in told["paths"]] == [1001]


def make_chain(stage: Stage, length: int) -> None:
    """``link-0`` inherits ``link-1`` and so on; the last one reads invoices.  By SQL alone, since a thousand requests take long."""
    from sqlalchemy import insert, select

    from rbac_api.database.tables import permissions, role_inheritance, role_permissions, roles
    from rbac_api.database.types import new_id

    now = clock.now()
    made = [
        {"id": new_id(), "name": f"link-{i}", "description": "", "system": False, "grants": "listed", "version": 1,
         "valid_from": now, "updated_at": now}
        for i in range(length)
    ]  # fmt: skip
    edges = [
        {"id": new_id(), "senior_id": above["id"], "junior_id": below["id"], "valid_from": now}
        for above, below in pairwise(made)
    ]
    with stage.database.writing() as connection:
        connection.execute(insert(roles), made)
        connection.execute(insert(role_inheritance), edges)
        reads = connection.execute(
            select(permissions.c.id).where(permissions.c.name == "invoices:read")
        ).scalar_one()
        held = {"id": new_id(), "role_id": made[-1]["id"], "permission_id": reads, "valid_from": now}
        connection.execute(insert(role_permissions).values(held))
    stage.guard.snapshot.forget()
