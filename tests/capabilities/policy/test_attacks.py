"""Policies by people who mean ill, or do not look: every guard of single changes holds, and nothing is ever half done."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rbac_api.capabilities.policy import engine, service
from rbac_api.database.constraints import DatabaseDown
from tests.builders import Stage
from tests.capabilities.activations.scenes import activate, after, give, make_role
from tests.capabilities.policy.stories import TEA, apply, everything, export, plan, trusted_bob
from tests.cast import ALICE, BOB, CAROL, DAVE, PASSWORD

TO_BOB = {"roles": [{"name": "role-manager", "permissions": ["payments:release"]}]}


def without_trail(stage: Stage) -> list[object]:
    return everything(stage, events=False)


def test_somebody_who_lacks_what_it_hands_out_changes_nothing_at_all(stage: Stage) -> None:
    bob = trusted_bob(stage)
    document = {
        "permissions": TEA["permissions"],
        "roles": [{"name": "payer", "permissions": ["payments:release"]}],
        "assignments": [{"user": "dave", "role": "payer"}],
    }
    before = without_trail(stage)

    found, refused = plan(bob, document), apply(bob, document)

    assert [(refusal["code"], refusal["missing"]) for refusal in found["refusals"]] == [
        ("escalation.denied", ["payments:release"])
    ]
    assert (refused.status_code, refused.json["code"]) == (403, "escalation.denied")
    assert without_trail(stage) == before


def test_bob_cannot_give_himself_more_by_a_document(stage: Stage) -> None:
    bob = trusted_bob(stage)
    before = without_trail(stage)

    for document in (TO_BOB, {"assignments": [{"user": "bob", "role": "admin"}]}):
        assert plan(bob, document)["refusals"]
        assert apply(bob, document).status_code == 403
    for harmless in ({"roles": [{"name": "role-manager", "inherits": ["admin"]}]},):
        assert apply(bob, harmless).status_code == 403

    assert without_trail(stage) == before


@pytest.mark.parametrize("role", ["payer", "copy"])
def test_bob_cannot_keep_by_a_document_what_is_active_in_his_session(stage: Stage, role: str) -> None:
    """Neither the role nor another that holds the same, and not even for as long: the session may end before."""
    alice = stage.as_(ALICE)
    trusted_bob(stage)
    for name in ("payer", "copy"):
        make_role(alice, name, "payments:release")
    assert give(alice, BOB, "payer", mode="eligible").status_code == 201
    bob = stage.as_(BOB)
    assert activate(bob, "payer", 600).status_code < 300
    terms = {"mode": "active", "expires_at": after(300)}
    document = {"assignments": [{"user": "bob", "role": role, **terms}]}
    before = without_trail(stage)

    found, applied, single = plan(bob, document), apply(bob, document), give(bob, BOB, role, **terms)

    (refused,) = found["refusals"]
    for answer in (applied, single):
        assert (answer.status_code, answer.json["code"]) == (403, "escalation.denied")
        assert answer.json["detail"] == refused["detail"]
        assert answer.json["missing"] == refused["missing"] == ["payments:release"]
    assert without_trail(stage) == before


def test_every_step_needs_the_permission_of_the_single_change(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post(
        "/v1/roles", json={"name": "applier", "permissions": ["policy:read", "policy:plan", "policy:apply"]}
    )
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/applier")
    dave, before = stage.as_(DAVE), without_trail(stage)

    found = plan(dave, TEA)

    assert {(refusal["code"], refusal["required"]) for refusal in found["refusals"]} == {
        ("access.denied", "permissions:create"),
        ("access.denied", "roles:create"),
    }
    assert apply(dave, TEA).json["required"] == "permissions:create"
    assert without_trail(stage) == before


def test_auditors_may_read_a_policy_but_neither_plan_nor_apply_one(stage: Stage) -> None:
    carol = stage.as_(CAROL)

    planned = carol.post("/v1/policy/plan", json=TEA)

    assert (planned.status_code, planned.json["required"]) == (403, "policy:plan")
    assert (apply(carol, TEA).status_code, stage.as_(BOB).get("/v1/policy").status_code) == (403, 403)
    assert carol.post("/v1/policy/revert", json={"seq": 1}).status_code == 403


def test_pruning_neither_takes_what_is_built_in_nor_the_last_administrator(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    empty: dict[str, list[Any]] = {
        section: [] for section in ("permissions", "roles", "constraints", "assignments")
    }
    before = without_trail(stage)

    found, refused = plan(alice, empty, prune=True), apply(alice, empty, prune=True)

    assert [refusal["code"] for refusal in found["refusals"]] == ["admin.last"]
    assert (refused.status_code, refused.json["code"]) == (409, "admin.last")
    assert {role["name"] for role in found["removed"]["roles"]} == {"role-manager"}
    assert without_trail(stage) == before


def test_what_is_built_in_cannot_be_changed_by_a_document(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    before = without_trail(stage)

    for document in (
        {"roles": [{"name": "auditor", "description": "Mine."}]},
        {"roles": [{"name": "auditor", "permissions": ["payments:release"]}]},
        {"roles": [{"name": "auditor", "inherits": ["admin"]}]},
        {"permissions": [{"name": "users:read", "description": "Nothing."}]},
    ):
        code = apply(alice, document).json["code"]
        assert code in ("role.system", "permission.system")
        assert plan(alice, document)["refusals"][0]["code"] == code
    assert without_trail(stage) == before


def test_a_stale_or_missing_revision_is_refused(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    tag = alice.get("/v1/policy").headers["ETag"]
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor")
    before = everything(stage)

    assert apply(alice, TEA, tag=tag).status_code == 412
    assert alice.post("/v1/policy/apply", json=TEA).status_code == 428
    assert apply(alice, TEA, tag="*").status_code == 428
    assert everything(stage) == before


def race(stage: Stage) -> list[int]:
    """Two administrators apply two documents to the same revision at once."""
    alices = [stage.as_(ALICE), stage.as_(ALICE)]
    tag = alices[0].get("/v1/policy").headers["ETag"]
    documents = [{"roles": [{"name": name}]} for name in ("one", "two")]
    with ThreadPoolExecutor(2) as threads:
        answers = threads.map(lambda pair: apply(*pair, tag=tag), zip(alices, documents, strict=True))
        return sorted(answer.status_code for answer in answers)


def test_of_two_documents_for_the_same_revision_one_wins(stage: Stage) -> None:
    assert race(stage) == [200, 412]


def test_without_the_look_inside_the_unit_both_would(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "require_revision", lambda _clearance, _tags: None)

    assert race(stage) == [200, 200]


def test_a_rule_that_is_broken_only_in_combination_refuses_the_whole(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    roles = [{"name": "payer", "permissions": ["payments:release"]}, {"name": "approver"}, {"name": "boss"}]
    apply(alice, {"roles": roles})
    apply(
        alice,
        {"constraints": [{"name": "apart", "kind": "static", "roles": ["payer", "approver"], "limit": 2}]},
    )
    document = {  # each line by itself is fine
        "roles": [{"name": "boss", "inherits": ["payer"]}],
        "assignments": [{"user": "dave", "role": "boss"}, {"user": "dave", "role": "approver"}],
    }  # fmt: skip
    before = without_trail(stage)

    found, refused = plan(alice, document), apply(alice, document)

    assert [(v["constraint"], v["user"]["username"]) for v in found["violations"]] == [("apart", "dave")]
    assert (refused.status_code, refused.json["code"]) == (409, "constraint.violated")
    assert without_trail(stage) == before


def test_what_breaks_a_rule_only_in_between_is_fine(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    apply(alice, {"roles": [{"name": "payer"}, {"name": "approver"}]})
    apply(alice, {"constraints": [{"name": "apart", "kind": "static", "roles": ["payer", "approver"], "limit": 2}],
                  "assignments": [{"user": "dave", "role": "payer"}]})  # fmt: skip
    rest = [entry for entry in export(alice)["assignments"] if entry["user"] != "dave"]

    swapped = apply(alice, {"assignments": [*rest, {"user": "dave", "role": "approver"}]}, prune=True)

    assert (swapped.status_code, swapped.json["summary"]) == (200, "1 to add, 0 to change, 1 to remove")


WRONG: dict[str, tuple[Any, str]] = {
    "a list": ([], ""),
    "an unknown section": ({"groups": []}, "/groups"),
    "an unknown key": ({"roles": [{"name": "ab", "colour": "red"}]}, "/roles/0/colour"),
    "a wrong type": ({"roles": [{"name": 7}]}, "/roles/0/name"),
    "a nested wrong type": ({"roles": [{"name": "ab", "permissions": [{}]}]}, "/roles/0/permissions"),
    "people": ({"users": [{"username": "eve"}]}, "/users"),
    "an unknown permission": ({"roles": [{"name": "ab", "permissions": ["no:no"]}]}, "/roles/0/permissions/0"),
    "an unknown role": ({"assignments": [{"user": "dave", "role": "none"}]}, "/assignments/0/role"),
    "an unknown user": ({"assignments": [{"user": "eve", "role": "admin"}]}, "/assignments/0/user"),
    "a deleted user": ({"assignments": [{"user": "operator-made", "role": "admin"}]}, "/assignments/0/user"),
    "grants of one's own": ({"roles": [{"name": "ab", "grants": "all"}]}, "/roles/0/grants"),
    "an unknown role in a rule": (
        {"constraints": [{"name": "ab", "kind": "static", "roles": ["aa", "bb"], "limit": 2}]},
        "/constraints/0/roles/0",
    ),
    "a password": ({"assignments": [{"user": "dave", "role": "admin", "password": "x"}]}, "/assignments/0/password"),
}  # fmt: skip


def test_an_assignment_names_one_holder_and_its_section_is_a_list(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    for entries, code in (
        ([{"role": "auditor"}], "field.together"),
        ([{"user": "dave", "service_account": "till", "role": "auditor"}], "field.together"),
        (None, "field.invalid"),
    ):
        answer = alice.post("/v1/policy/plan?prune=true", json={"assignments": entries})
        assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, code)


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_no_policy_is_refused_with_a_pointer(stage: Stage, wrong: str) -> None:
    document, pointer = WRONG[wrong]
    alice, before = stage.as_(ALICE), without_trail(stage)

    for answer in (alice.post("/v1/policy/plan", json=document), apply(alice, document)):
        assert (answer.status_code, answer.json["code"]) == (422, "request.invalid")
        assert pointer in [error["pointer"] for error in answer.json["errors"]]
    assert without_trail(stage) == before


BOMB = "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nroles: [*b,*b,*b,*b,*b]\n"
BODIES: dict[str, tuple[bytes, str, int]] = {
    "aliases that unfold": (BOMB.encode(), "application/yaml", 400),
    "a key twice in YAML": (b"roles: []\nroles: []\n", "text/yaml", 400),
    "a key twice in JSON": (b'{"roles": [], "roles": []}', "application/json", 400),
    "a tag": (b"roles: !!python/object/apply:os.system [id]", "application/x-yaml", 400),
    "two documents": (b"roles: []\n---\nroles: []\n", "application/yaml", 400),
    "a thousand levels": (b"[" * 1000 + b"]" * 1000, "application/yaml", 400),
    "a thousand levels of JSON": (b"[" * 1000 + b"]" * 1000, "application/json", 400),
    "no UTF-8": (b"roles: [\xff]", "application/yaml", 400),
    "a lone surrogate": (b'{"roles": [{"name": "\\ud800"}]}', "application/json", 422),
    "a form": (b"roles=x", "application/x-www-form-urlencoded", 415),
    "no type": (b"{}", "", 415),
    "nothing in YAML": (b"", "application/yaml", 422),
}


@pytest.mark.parametrize("body", BODIES)
def test_a_body_that_is_ambiguous_or_grows_is_refused(stage: Stage, body: str) -> None:
    data, media_type, status = BODIES[body]

    answer = stage.as_(ALICE).post("/v1/policy/plan", data=data, headers={"Content-Type": media_type})

    assert answer.status_code == status, answer.json


def test_sixteen_mebibytes_are_taken_and_not_one_byte_more(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    room = 16 * 1024 * 1024
    data = b'{"roles": []' + b" " * (room - 13) + b"}"

    sizes = [
        alice.post("/v1/policy/plan", data=body, headers={"Content-Type": "application/json"}).status_code
        for body in (data, data + b" ")
    ]

    assert sizes == [200, 413]
    assert alice.post("/v1/policy/revert", json={"seq": 1, "x": "y" * 70_000}).status_code == 413


def test_whoever_may_not_assign_is_told_so_for_each(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    permissions = ["policy:read", "policy:plan", "policy:apply", "roles:create"]
    alice.post("/v1/roles", json={"name": "applier", "permissions": permissions})
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/applier")
    document = {"roles": [{"name": "nothing"}], "assignments": [{"user": "carol", "role": "nothing"}]}

    found = plan(stage.as_(DAVE), document)

    assert [(refusal["step"], refusal["required"]) for refusal in found["refusals"]] == [
        ("assignment.create carol nothing", "assignments:create")
    ]
    assert apply(stage.as_(DAVE), document).json["required"] == "assignments:create"


def test_terms_that_cannot_be_are_refused_in_words(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    document = {"assignments": [{"user": "bob", "role": "role-manager", "starts_at": "2040-01-01T00:00:00Z"}]}

    (refusal,) = plan(alice, document)["refusals"]

    assert (refusal["step"], refusal["code"]) == ("assignment.update bob role-manager", "request.invalid")
    assert "has already started" in refusal["detail"]
    assert apply(alice, document).status_code == 422


def test_a_rule_that_sessions_break_already_is_told(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    apply(alice, {"roles": [{"name": "one"}, {"name": "two"}]})
    rule = {"name": "apart", "kind": "dynamic", "roles": ["one", "two"], "limit": 2}
    held = [{"user": "dave", "role": role} for role in ("one", "two")]
    apply(alice, {"assignments": held})
    stage.caller().client.post(
        "/v1/auth/login", json={"username": "dave", "password": PASSWORD, "roles": ["one", "two"]}
    )

    found, refused = plan(alice, {"constraints": [rule]}), apply(alice, {"constraints": [rule]})

    assert [violation["user"]["username"] for violation in found["violations"]] == ["dave"]
    assert (refused.status_code, refused.json["code"]) == (409, "constraint.violated")


def test_a_database_that_fails_is_no_refusal(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_arguments: Any) -> None:
        raise DatabaseDown()

    monkeypatch.setitem(engine.APPLY, "permission.create", down)

    answer = stage.as_(ALICE).post("/v1/policy/plan", json={"permissions": TEA["permissions"]})

    assert answer.status_code == 503


def test_a_null_where_a_name_belongs_is_refused(stage: Stage) -> None:
    rules = [
        {"name": "ab", "kind": None, "roles": None},
        {"name": None, "kind": "static", "roles": {}, "limit": "x"},
    ]

    assert stage.as_(ALICE).post("/v1/policy/plan", json={"constraints": rules}).status_code == 422
