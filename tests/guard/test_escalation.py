"""Nobody gains by what she does, nor takes from somebody stronger (A1, A2, A3, A10; P8, P9): on every writing operation there is."""

from collections import Counter
from typing import Any

import pytest

from tests.builders import Stage
from tests.capabilities.assignments.test_last_administrator import administrators
from tests.cast import ALICE, BOB, CAROL, DAVE
from tests.guard.hostile import STRONG, WEAK, attempts, prepare, scene, send

pytestmark = pytest.mark.large

# what an auditor holds and Bob does not
LACKING = [
    "audit:read",
    "constraints:read",
    "domains:read",
    "keys:read",
    "policy:read",
    "service-accounts:read",
]


def test_bob_gains_nothing_for_anybody_and_harms_nobody_stronger_whatever_he_tries(stage: Stage) -> None:
    prepare(stage)
    bob, before, answered = stage.as_(BOB), scene(stage), Counter()
    his = before.people["bob"]

    for attempt in list(attempts(stage)):
        last = stage.query("SELECT max(seq) FROM trail_events")[0][0]
        stage.guard.refusals.forget()  # a repetition would only be counted
        answer = send(bob, attempt)
        answered[answer.status_code] += 1
        after = scene(stage)
        assert before.gained(after) <= his, attempt
        for name in ("alice", "carol"):
            assert after.accounts.get(name) == before.accounts[name], attempt
        for role in ("admin", "auditor", STRONG):
            assert after.roles.get(role) == before.roles[role], attempt
        if answer.status_code == 403:
            assert refused(stage.events(after=last)) == "bob", attempt
            assert after == before, attempt
        elif after != before:
            prepare(stage)
            bob = stage.as_(BOB)
    assert answered[403] > 50
    assert answered[201] + answered[204] > 10


def refused(events: list[dict[str, Any]]) -> str:
    """Who was refused, if that is all that happened; for some attempts already when asking for the ETag."""
    assert {(event["action"], event["outcome"]) for event in events} == {("access.refused", "refused")}
    return str(events[0]["actor_name"])


def test_somebody_who_can_sign_in_remains_administrator_whatever_alice_tries(stage: Stage) -> None:
    prepare(stage)
    alice, conflicts = stage.as_(ALICE), set()

    for attempt in list(attempts(stage, [ALICE])):
        answer = send(alice, attempt)
        if answer.is_json and answer.json.get("code") == "admin.last":
            conflicts.add(attempt.operation.id)
        left = administrators(stage)
        assert left != [], attempt
        if left != ["alice"] or alice.get("/v1/me").status_code != 200:
            prepare(stage)
            alice = stage.as_(ALICE)
    assert conflicts == {
        "delete_user",
        "update_user",
        "revoke_role",
        "assign_role",
        "apply_policy",
    }


def test_bob_is_told_what_he_lacks(stage: Stage) -> None:
    bob, dave = stage.as_(BOB), stage.user_id(DAVE)
    bob.post("/v1/roles", json={"name": WEAK})

    answers = [
        bob.put(f"/v1/users/{dave}/roles/auditor"),
        bob.post("/v1/roles", json={"name": "mine", "permissions": ["audit:read", "users:read"]}),
        bob.put(f"/v1/roles/{WEAK}/permissions/audit:read"),
        bob.put(f"/v1/roles/{WEAK}/inherits/auditor"),
    ]

    for answer, missing in zip(answers, (LACKING, LACKING[:1], LACKING[:1], LACKING), strict=True):
        assert (answer.status_code, answer.json["code"]) == (403, "escalation.denied")
        assert answer.json["missing"] == missing
        assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


def test_bob_acts_upon_nobody_who_holds_more_than_he(stage: Stage) -> None:
    bob, path = stage.as_(BOB), f"/v1/users/{stage.user_id(CAROL)}"
    stage.as_(CAROL)

    answers = [
        bob.patch_now(path, {"status": "disabled"}),
        bob.delete_now(path),
        bob.post(f"{path}/password-reset"),
        bob.delete(f"{path}/sessions"),
        bob.delete(f"{path}/roles/auditor"),
        bob.put(f"{path}/roles/role-manager"),
        bob.delete(f"/v1/sessions/{bob.get(f'{path}/sessions').json['items'][0]['id']}"),
        bob.patch_now("/v1/roles/auditor", {"description": "Mine."}),
    ]

    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {(403, "target.stronger")}
    assert {tuple(answer.json["missing"]) for answer in answers} == {tuple(LACKING)}


def test_whoever_may_escalate_may_hand_out_what_she_does_not_hold(stage: Stage) -> None:
    alice, path = stage.as_(ALICE), f"/v1/users/{stage.user_id(DAVE)}/roles"
    permissions = ["rbac:escalate", "assignments:create", "roles:create"]
    alice.post("/v1/roles", json={"name": "steward", "permissions": permissions})
    alice.put(f"{path}/steward")
    dave = stage.as_(DAVE)

    assert (
        dave.post("/v1/roles", json={"name": STRONG, "permissions": ["payments:release"]}).status_code == 201
    )
    assert dave.put(f"{path}/{STRONG}").status_code == 201
    assert dave.put(f"/v1/users/{stage.user_id(CAROL)}/roles/steward").json["code"] == "target.stronger"
