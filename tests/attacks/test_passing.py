"""What is held by activation, or until an end, is handed on by no path for longer than it is held."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from rbac_api.guard.enforcement import clearance
from tests.attacks.paths import ESCALATIONS, SECRET, Handing, make_steward
from tests.attacks.test_every_path import HANDS_OUT, checksum, guarded
from tests.builders import Stage
from tests.capabilities.constraints.rules import in_days
from tests.cast import DAVE

OWN = "/v1/me/activations/payer"


def gives_dave(found: Handing, role: str, **terms: Any) -> None:
    path = f"/v1/users/{found.alice.stage.user_id(DAVE)}/roles/{role}"
    assert found.alice.put(path, json=terms).status_code in (200, 201)


def activates(found: Handing, role: str = "payer") -> None:
    answer = found.steward.put(f"/v1/me/activations/{role}", json={"duration": 3600, "reason": "month's end"})
    assert answer.status_code == 201, answer.text


def by_activation(found: Handing) -> None:
    gives_dave(found, "payer", mode="eligible")
    activates(found)


def by_activation_of_what_ends(found: Handing) -> None:
    gives_dave(found, "payer", mode="eligible", expires_at=in_days(30))
    activates(found)


def until_an_end(found: Handing) -> None:
    gives_dave(found, "payer", expires_at=in_days(1))


def through_a_senior(found: Handing) -> None:
    """What is inherited lasts as long as what inherits it."""
    found.alice.post("/v1/roles", json={"name": "senior"})
    found.alice.put("/v1/roles/senior/inherits/payer")
    gives_dave(found, "senior", expires_at=in_days(1))


PASSING: tuple[Callable[[Handing], None], ...] = (
    by_activation, by_activation_of_what_ends, until_an_end, through_a_senior,
)  # fmt: skip
every_operation = pytest.mark.parametrize("operation", sorted(ESCALATIONS))


def steward(stage: Stage) -> Handing:
    permissions = {str(found.permission) for found in guarded(stage, HANDS_OUT)}
    return make_steward(stage, permissions | {"policy:read", "roles:read", "assignments:create"})


@every_operation
@pytest.mark.parametrize("passing", PASSING)
def test_it_is_handed_to_nothing_that_lasts(
    stage: Stage, operation: str, passing: Callable[[Handing], None]
) -> None:
    found = steward(stage)
    if operation != "create_client_secret":  # which tells this story by itself
        passing(found)
    call = ESCALATIONS[operation](found)
    before = checksum(stage)

    answer = call.send()

    assert (answer.status_code, answer.json["code"]) == (403, HANDS_OUT), answer.text
    assert answer.json["missing"] == [SECRET]
    assert checksum(stage) == before


@every_operation
def test_without_the_comparison_of_ends_it_would_be(
    stage: Stage, operation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin: what is held at this moment is enough."""
    found = steward(stage)
    if operation != "create_client_secret":
        until_an_end(found)
    monkeypatch.setattr(clearance.Clearance, "held_until", lambda self, _end: self.held)

    assert ESCALATIONS[operation](found).send().status_code < 300


@every_operation
@pytest.mark.parametrize("lasting", ["payer", "escalate"])
def test_what_lasts_and_what_may_escalate_is_handed_on(stage: Stage, operation: str, lasting: str) -> None:
    found = steward(stage)
    if lasting == "payer":
        gives_dave(found, "payer")
    else:
        body = {"name": "escalate", "permissions": ["rbac:escalate", SECRET]}
        assert found.alice.post("/v1/roles", json=body).status_code == 201
        gives_dave(found, "escalate", mode="eligible")
        activates(found, "escalate")
    if operation == "create_client_secret":
        assert found.alice.put(f"{found.robot}/roles/payer").status_code == 201

    call = ESCALATIONS[operation](found) if operation != "create_client_secret" else None
    answer = call.send() if call else found.steward.post(f"{found.robot}/secrets")

    assert answer.status_code < 300, answer.text


@pytest.mark.parametrize("path", ["{erin}/roles/payer", "{robot}/roles/payer"])
def test_it_is_handed_on_until_its_own_end(stage: Stage, path: str) -> None:
    found = steward(stage)
    end = in_days(2)
    gives_dave(found, "payer", expires_at=end)
    path = path.format(erin=found.erin, robot=found.robot)

    later = found.steward.put(path, json={"expires_at": in_days(3)})
    same = found.steward.put(path, json={"expires_at": end})
    longer = found.steward.put(path, json={"expires_at": None})
    shorter = found.steward.put(path, json={"expires_at": in_days(1)})
    unchanged = found.steward.put(path, json={})

    assert [a.status_code for a in (later, same, longer, shorter, unchanged)] == [403, 201, 403, 200, 200]
    assert "expires_at" in later.json["detail"]


def test_a_secret_is_valid_for_no_longer_than_its_maker_holds_it(stage: Stage) -> None:
    found = steward(stage)
    gives_dave(found, "payer", expires_at=in_days(2))
    assert found.alice.put(f"{found.robot}/roles/payer").status_code == 201

    answer = found.steward.post(f"{found.robot}/secrets", json={"expires_at": in_days(1)})

    assert answer.status_code == 201
    assert datetime.fromisoformat(answer.json["expires_at"]) <= datetime.fromisoformat(in_days(2))


def test_many_changes_at_once_are_judged_by_what_lasted_before_the_first(stage: Stage) -> None:
    """A policy moves a permission from a role of the caller's to another: it was held without an end before."""
    found = steward(stage)
    gives_dave(found, "payer")
    document = {"roles": [{"name": "payer", "permissions": []}, {"name": "clerk", "permissions": [SECRET]}]}
    tag = found.steward.get("/v1/policy").headers["ETag"]

    answer = found.steward.post("/v1/policy/apply", json=document, headers={"If-Match": tag})

    assert answer.status_code == 200, answer.text
