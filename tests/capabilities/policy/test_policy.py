"""A policy as a document: read it, see what another would change, apply it; what is done is exactly what was planned."""

from __future__ import annotations

import json

import jsonschema_rs
import time_machine

from rbac_api.formats.strict_yaml import parse_yaml
from tests.builders import Stage
from tests.capabilities.policy.stories import EMPTY, TEA, apply, everything, export, plan
from tests.cast import ALICE, CAROL, DAVE

YAML = {"Accept": "application/yaml"}


def test_alice_reads_the_whole_policy_without_what_is_built_in(stage: Stage) -> None:
    document = export(stage.as_(ALICE))

    assert [entry["name"] for entry in document["roles"]] == ["role-manager"]
    assert [entry["name"] for entry in document["permissions"]] == [
        "invoices:approve",
        "invoices:read",
        "payments:release",
    ]
    held = [(entry["user"], entry["role"]) for entry in document["assignments"]]
    assert held == [
        ("alice", "admin"), ("bob", "role-manager"), ("carol", "auditor"), ("mallory", "role-manager"),
    ]  # fmt: skip


def test_both_forms_say_the_same_and_change_nothing(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    apply(alice, TEA)
    yaml, before = alice.get("/v1/policy", headers=YAML), everything(stage)

    assert parse_yaml(yaml.text) == export(alice)
    for prune in (True, False):
        assert plan(alice, export(alice), prune=prune)["summary"] == "0 to add, 0 to change, 0 to remove"
    again = alice.post(
        "/v1/policy/plan?prune=true", data=yaml.data, headers={"Content-Type": "application/yaml"}
    )
    assert [again.json[part] for part in ("created", "changed", "removed")] == [EMPTY] * 3
    assert (again.json["gains"], again.json["refusals"]) == ([], [])
    assert everything(stage) == before


def test_the_tag_is_the_revision_and_spares_reading_again(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    tag = carol.get("/v1/policy").headers["ETag"]
    in_yaml = carol.get("/v1/policy", headers=YAML).headers["ETag"]

    assert tag.strip('"').isdigit()
    assert in_yaml != tag
    assert carol.get("/v1/policy", headers={"If-None-Match": tag}).status_code == 304
    assert carol.get("/v1/policy", headers={**YAML, "If-None-Match": tag}).status_code == 200
    stage.as_(ALICE).put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor")
    assert carol.get("/v1/policy", headers={"If-None-Match": tag}).headers["ETag"] != tag


def test_a_plan_tells_everything_and_leaves_nothing(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    before = everything(stage)

    found = plan(alice, TEA)

    assert everything(stage) == before
    assert found["summary"] == "7 to add, 0 to change, 0 to remove"
    assert [role["name"] for role in found["created"]["roles"]] == ["brewer", "head-brewer"]
    assert found["created"]["inheritance"] == [{"role": "head-brewer", "inherits": "brewer"}]
    gained = {gain["user"]["username"]: gain["permissions"] for gain in found["gains"]}
    assert gained == {"alice": ["tea:brew"], "dave": ["invoices:read", "tea:brew"]}
    assert found["losses"] == found["refusals"] == found["violations"] == []


def test_applying_does_what_was_planned_with_an_event_each(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    planned, before = plan(alice, TEA), len(stage.events())

    done = apply(alice, TEA)

    assert done.status_code == 200, done.json
    assert {key: done.json[key] for key in planned} == planned
    assert [event["action"] for event in stage.events()[before:]] == [
        "permission.created", "role.created", "role.created", "inheritance.created", "assignment.created", "assignment.created",
        "constraint.created", "policy.applied",
    ]  # fmt: skip
    assert done.headers["ETag"] == f'"{done.json["seq"]}"' == alice.get("/v1/policy").headers["ETag"]
    assert stage.as_(DAVE).get("/v1/me").json["permissions"] == ["invoices:read", "tea:brew"]


def test_applying_it_again_does_nothing_and_says_so(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    apply(alice, TEA)
    before = everything(stage)

    again = apply(alice, TEA)

    assert (again.json["seq"], again.json["summary"]) == (None, "0 to add, 0 to change, 0 to remove")
    assert everything(stage) == before


def test_a_changed_entry_is_shown_as_it_was_and_will_be(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    apply(alice, TEA)
    changed = {
        "permissions": [{"name": "tea:brew", "description": "Brew tea, and coffee."}],
        "roles": [{"name": "brewer", "description": "Brews all day.", "permissions": ["payments:release"]}],
        "constraints": [{"name": "no-tea-for-managers", "kind": "max-holders", "roles": ["brewer"], "limit": 9}],
        "assignments": [{"user": "dave", "role": "head-brewer", "expires_at": "2041-01-01T00:00:00Z"}],
    }  # fmt: skip

    done = apply(alice, changed).json

    assert done["summary"] == "0 to add, 4 to change, 0 to remove"
    (role,) = done["changed"]["roles"]
    assert (role["before"], role["granted"], role["withdrawn"]) == (
        {"description": "Brews."},
        ["payments:release"],
        ["invoices:read", "tea:brew"],
    )
    (rule,) = done["changed"]["constraints"]
    assert (rule["before"]["kind"], rule["after"]["limit"]) == ("static", 9)
    assert export(alice)["assignments"][4]["expires_at"] == "2041-01-01T00:00:00.000000Z"
    assert plan(alice, changed)["summary"] == "0 to add, 0 to change, 0 to remove"


def test_what_a_listed_role_holds_and_inherits_is_exact_also_without_pruning(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    apply(alice, TEA)
    for added in (
        "brewer/permissions/payments:release",
        "head-brewer/permissions/tea:brew",
        "brewer/inherits/auditor",
    ):
        assert alice.put(f"/v1/roles/{added}").status_code == 201

    found = plan(alice, TEA)

    assert {role["name"]: (role["granted"], role["withdrawn"]) for role in found["changed"]["roles"]} == {
        "brewer": ([], ["payments:release"]), "head-brewer": ([], ["tea:brew"]),
    }  # fmt: skip
    assert found["removed"]["inheritance"] == [{"role": "brewer", "inherits": "auditor"}]
    assert apply(alice, TEA).json["summary"] == "0 to add, 2 to change, 1 to remove"
    assert alice.get("/v1/roles/brewer").json["effective_permissions"] == ["invoices:read", "tea:brew"]
    assert plan(alice, {"roles": [{"name": "auditor"}]})["summary"] == "0 to add, 0 to change, 0 to remove"


def test_of_263_faults_a_hundred_are_listed_and_all_are_counted(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    names = [f"no:such-{number}" for number in range(263)]

    for role in (
        {"name": "brewer", "permissions": names},
        {"name": "brewer", "permissions": [f"{n} " for n in names]},
    ):
        for call in (lambda body: alice.post("/v1/policy/plan", json=body), lambda body: apply(alice, body)):
            refused = call({"roles": [role]})
            assert (refused.status_code, len(refused.json["errors"]), refused.json["total"]) == (
                422,
                100,
                263,
            )
            assert "and 163 more" in refused.json["detail"]
    one = alice.post("/v1/policy/plan", json={"roles": [{"name": "brewer", "permissions": names[:100]}]})
    assert (len(one.json["errors"]), "total" in one.json) == (100, False)


def test_only_pruning_removes_and_only_in_sections_that_are_there(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    first = export(alice)
    apply(alice, TEA)

    assert plan(alice, first)["removed"] == EMPTY
    assert plan(alice, {"constraints": []}, prune=True)["summary"] == "0 to add, 0 to change, 1 to remove"
    done = apply(alice, first, prune=True)

    assert done.json["summary"] == "0 to add, 0 to change, 6 to remove"
    assert {loss["user"]["username"] for loss in done.json["losses"]} == {"alice", "dave"}
    assert export(alice) == first


def test_how_many_sessions_go_stale_is_told(stage: Stage) -> None:
    alice, _ = stage.as_(ALICE), [stage.as_(DAVE) for _ in range(3)]

    found = plan(alice, {"assignments": [{"user": "dave", "role": "auditor"}]})

    assert found["sessions_stale"] == 3


def test_a_service_account_is_in_it_too(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/service-accounts", json={"name": "robot"})
    done = apply(alice, {"assignments": [{"service_account": "robot", "role": "auditor"}]})

    assert done.status_code == 200, done.json
    assert {"service_account": "robot", "role": "auditor"} in export(alice)["assignments"]
    wrong = alice.post("/v1/policy/plan", json={"assignments": [{"user": "robot", "role": "auditor"}]})
    assert wrong.json["errors"][0]["pointer"] == "/assignments/0/user"


def test_a_person_called_as_a_service_account_is_described_is_somebody_else(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    robot = alice.post("/v1/service-accounts", json={"name": "deploy"}).json["id"]
    person = alice.post("/v1/users", json={"username": "service account deploy"}).json["id"]
    alice.put(f"/v1/service-accounts/{robot}/roles/auditor")
    alice.put(f"/v1/users/{person}/roles/auditor")

    assert plan(alice, export(alice))["summary"] == "0 to add, 0 to change, 0 to remove"


def test_an_assignment_that_is_over_is_not_in_a_document(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    over = {"user": "carol", "role": "auditor", "expires_at": "2001-01-01T00:00:00Z"}
    rest = [entry for entry in export(alice)["assignments"] if entry["user"] != "carol"]

    assert plan(alice, {"assignments": [over]})["summary"] == "0 to add, 0 to change, 0 to remove"
    assert plan(alice, {"assignments": [*rest, over]}, prune=True)["removed"]["assignments"] == [
        {
            "user": "carol", "role": "auditor", "reason": None, "starts_at": None, "expires_at": None, "mode": "active",
            "max_duration": None,
        }
    ]  # fmt: skip


def test_time_alone_makes_another_revision(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    apply(alice, {"assignments": [{"user": "dave", "role": "auditor", "expires_at": "2040-01-01T00:00:00Z"}]})
    tag = alice.get("/v1/policy").headers["ETag"]

    with time_machine.travel("2040-01-01T00:00:01Z", tick=True):
        alice = stage.as_(ALICE)
        assert alice.get("/v1/policy").headers["ETag"] == tag[:-1] + '-2040-01-01T00:00:00.000000Z"'
        assert apply(alice, TEA, tag=tag).status_code == 412


def test_a_beginning_that_has_passed_is_none(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    document = {"assignments": [{"user": "dave", "role": "auditor", "starts_at": "2039-01-01T00:00:00Z"}]}
    apply(alice, document)
    assert plan(alice, document)["summary"] == "0 to add, 0 to change, 0 to remove"

    with time_machine.travel("2039-06-01T00:00:00Z", tick=True):
        assert plan(stage.as_(ALICE), document)["summary"] == "0 to add, 0 to change, 0 to remove"


def test_the_form_is_published_for_everybody(stage: Stage) -> None:
    answer = stage.caller().get("/schemas/policy.json")

    assert answer.mimetype == "application/schema+json"
    jsonschema_rs.Draft202012Validator(json.loads(answer.data)).validate(export(stage.as_(ALICE)))
    tag = {"If-None-Match": answer.headers["ETag"]}
    assert stage.caller().get("/schemas/policy.json", headers=tag).status_code == 304


def test_nothing_secret_is_in_it(stage: Stage) -> None:
    answer = stage.as_(ALICE).get("/v1/policy").text
    secrets = [
        row[0] for row in stage.query("SELECT password_hash FROM users WHERE password_hash IS NOT NULL")
    ]

    assert secrets
    assert not [secret for secret in secrets if secret in answer]
    assert "password" not in answer.replace("users:reset-password", "")
