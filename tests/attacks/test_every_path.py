"""Every guard and every constraint holds on every path.  Which paths there are the OpenAPI document says, not this file: an operation
that appears there without a story here fails the test.

(a) who does not hold what is handed out is refused, and nothing is changed; (b) the same for whatever would break a constraint, of each
kind; (c) of two requests that are fine, each by itself, and together break one, exactly one succeeds, on both engines.
"""

from __future__ import annotations

import hashlib
import threading
from typing import Any

import pytest

from rbac_api.capabilities.constraints import service
from rbac_api.capabilities.constraints.errors import ConstraintViolated
from rbac_api.capabilities.policy import service as policy_service
from tests.attacks.paths import BREACHES, ESCALATIONS, IMPOSSIBLE, KINDS, SECRET, Call, make_steward
from tests.builders import Caller, Stage
from tests.capabilities.constraints.rules import CONSTRAINTS
from tests.capabilities.signin.crowd import together
from tests.cast import ALICE, DAVE
from tests.contract.operations import Operation, operations
from tests.contract.test_one_event_each import DONE

HANDS_OUT, VIOLATES = "escalation.denied", "constraint.violated"
ROUNDS = 2
STATE = (
    "users", "permissions", "roles", "role_permissions", "role_inheritance", "assignments", "constraints", "constraint_roles",
    "activations", "sessions", "policy_changes", "service_accounts",
)  # fmt: skip
# Of those the columns that say what anybody may do, now or later, and which rules bind.
POWER = {
    "permissions": "id, valid_to",
    "roles": "id, grants, requires_mfa, valid_to",
    "role_permissions": "role_id, permission_id, valid_to",
    "role_inheritance": "senior_id, junior_id, valid_to",
    "assignments": "user_id, role_id, valid_from, valid_to, mode, max_duration, domain",
    "constraints": "id, valid_to",
    "activations": "session_id, role_id, valid_to",
}
# What changes one of these, and yet can neither hand out what the caller lacks nor break a constraint.
HARMLESS = {
    "create_permission": "nobody holds it but who holds every permission",
    "delete_permission": "everybody who held it loses it; constraints are about roles",
    "withdraw_permission": "the role loses it; constraints are about roles",
    "update_role": "whoever switches requires_mfa off must hold all that the role holds: target.stronger",
    "delete_user": "who is gone holds nothing, and breaks nothing",
    "erase_user": "a deleted user holds nothing",
    "delete_service_account": "the same",
    "drop_role": "a session loses a role",
}


def guarded(stage: Stage, code: str) -> list[Operation]:
    """The operations that the document says may answer with this code."""
    return [
        found
        for found in operations(stage.app)
        if found.writes and code in found.codes(403) | found.codes(409)
    ]


def checksum(stage: Stage) -> str:
    """Of everything that a refusal must leave as it was."""
    rows = [sorted(map(str, stage.query(f"SELECT * FROM {table}"))) for table in STATE]
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def test_every_operation_that_hands_out_or_violates_has_its_stories(stage: Stage) -> None:
    handing, violating = ({found.id for found in guarded(stage, code)} for code in (HANDS_OUT, VIOLATES))

    assert handing == set(ESCALATIONS)
    assert {(name, kind) for name in violating for kind in KINDS} == set(BREACHES) | set(IMPOSSIBLE)
    assert set(BREACHES) & set(IMPOSSIBLE) == set()


@pytest.mark.parametrize("operation", sorted(DONE))
def test_whatever_changes_what_anybody_may_do_is_guarded(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """Completeness, by doing: what the document does not call guarded changes no such row, or is known to be harmless."""
    alice, dave, before = stage.as_(ALICE), stage.user_id(DAVE), {}
    called = Caller.call

    def watched(caller: Caller, method: str, path: str, **options: Any) -> Any:
        if method != "GET":
            before["power"] = power(stage)
        return called(caller, method, path, **options)

    monkeypatch.setattr(Caller, "call", watched)
    before["power"] = power(stage)
    assert DONE[operation][1](stage, alice, dave).status_code < 300

    known = {found.id for code in (HANDS_OUT, VIOLATES) for found in guarded(stage, code)}
    changed = power(stage) != before["power"]
    assert not changed or operation in known | set(HARMLESS)
    assert changed or operation not in known - {"login", "create_client_secret"}, "else this would not notice"


def test_what_is_called_harmless_is_there_and_not_guarded(stage: Stage) -> None:
    known = {found.id for code in (HANDS_OUT, VIOLATES) for found in guarded(stage, code)}

    assert set(HARMLESS) <= {found.id for found in operations(stage.app)} - known


def power(stage: Stage) -> list[Any]:
    """Who may do what, as the rows have it."""
    return [
        sorted(map(str, stage.query(f"SELECT {columns} FROM {table}"))) for table, columns in POWER.items()
    ]


@pytest.mark.parametrize("operation", sorted(ESCALATIONS))
def test_who_does_not_hold_what_is_handed_out_changes_nothing(stage: Stage, operation: str) -> None:
    permissions = {str(found.permission) for found in guarded(stage, HANDS_OUT)}
    call = ESCALATIONS[operation](
        make_steward(stage, permissions | {"policy:read", "roles:read", "assignments:create"})
    )
    before = checksum(stage)

    answer = call.send()

    assert (answer.status_code, answer.json["code"]) == (403, HANDS_OUT), answer.text
    assert answer.json["missing"] == [SECRET]
    assert checksum(stage) == before


def name_of(breach: Any) -> str:
    return "-".join(breach)


every_breach = pytest.mark.parametrize("breach", sorted(BREACHES), ids=name_of)


@every_breach
def test_what_would_break_a_constraint_changes_nothing(stage: Stage, breach: tuple[str, str]) -> None:
    counter, act = BREACHES[breach](stage)
    first = counter.send()
    assert first.status_code < 300, first.text
    before = checksum(stage)

    answer = act.send()

    assert (answer.status_code, answer.json["code"]) == (409, VIOLATES), answer.text
    assert answer.json["constraint"] == "rule"
    assert answer.json["violations"] != []
    assert checksum(stage) == before


@every_breach
def test_by_itself_it_is_fine(stage: Stage, breach: tuple[str, str]) -> None:
    _, act = BREACHES[breach](stage)

    answer = act.send()

    assert answer.status_code < 300, answer.text


def at_once(calls: tuple[Call, Call]) -> list[int]:
    return sorted(together(2, lambda number: calls[number].send().status_code))


def violations(stage: Stage) -> list[Any]:
    answer = stage.as_(ALICE).get(f"{CONSTRAINTS}/rule/violations")
    return answer.json["items"] if answer.status_code == 200 else []


@every_breach
def test_of_two_that_break_it_together_exactly_one_succeeds(
    stage: Stage, breach: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    look_away_from_revisions(monkeypatch)
    for _ in range(ROUNDS):
        stage.reset()

        one, other = at_once(BREACHES[breach](stage))

        assert one < 300
        assert other == 409
        assert violations(stage) == []


def look_away_from_revisions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A policy is applied to the revision that was seen, which alone would keep two from being applied at once: let it be."""
    monkeypatch.setattr(policy_service, "require_revision", lambda *_: None)


@every_breach
def test_a_look_before_the_lock_would_let_both_succeed(
    stage: Stage, breach: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin: each looks whether the other half is there before it takes the write lock, and not afterwards."""
    look_away_from_revisions(monkeypatch)
    calls, seen, ready = BREACHES[breach](stage), threading.local(), threading.Barrier(2)
    newest = "SELECT max(seq) FROM trail_events"
    [(before,)] = stage.query(newest)

    def naive(found: Any, _may_name: Any) -> None:
        found.close()
        if seen.newest != before:
            raise ConstraintViolated()

    def work(number: int) -> int:
        [(seen.newest,)] = stage.query(newest)
        ready.wait(timeout=60)
        return int(calls[number].send().status_code)

    monkeypatch.setattr(service, "_refuse", naive)
    assert max(together(2, work)) < 300
