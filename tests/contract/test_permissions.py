"""Every permission of this service guards something, is described, and is held by the built-in roles as it should be."""

from pathlib import Path

import pytest
import yaml
from flask import Flask

from rbac_api.decision.evaluate import ADMIN, ESCALATE
from tests.builders import Stage
from tests.cast import ALICE, CAROL
from tests.contract.operations import operations

SYSTEM = yaml.safe_load((Path(__file__).parents[2] / "seed_data" / "system.yaml").read_text(encoding="utf-8"))
DESCRIBED = {entry["name"]: entry["description"] for entry in SYSTEM["permissions"]}


@pytest.fixture
def guarding(stage: Stage) -> dict[str, list[str]]:
    """The operations that each permission guards."""
    app: Flask = stage.app
    found: dict[str, list[str]] = {}
    for operation in operations(app):
        if operation.permission:
            found.setdefault(operation.permission, []).append(operation.id)
    return found


def test_every_permission_guards_an_operation_and_every_guard_asks_for_a_known_one(
    guarding: dict[str, list[str]],
) -> None:
    assert {*guarding, ESCALATE} == set(DESCRIBED)


def test_the_permission_to_escalate_guards_handing_out(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    path = f"/v1/users/{stage.user_id(CAROL)}/roles"
    alice.post("/v1/roles", json={"name": "giver", "permissions": ["assignments:create"]})
    alice.post("/v1/roles", json={"name": "treasurer", "permissions": ["payments:release"]})
    alice.put(f"{path}/giver")
    carol = stage.as_(CAROL)
    statuses = [carol.put(f"{path}/treasurer").status_code]

    alice.put(f"/v1/roles/giver/permissions/{ESCALATE}")
    statuses.append(carol.put(f"{path}/treasurer").status_code)

    assert statuses == [403, 201]


@pytest.mark.parametrize("name", DESCRIBED)
def test_every_permission_is_described_in_a_sentence(name: str) -> None:
    sentence = DESCRIBED[name]

    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert 20 < len(sentence) < 120


def test_what_is_shown_of_them_is_what_the_file_says(stage: Stage) -> None:
    shown = stage.as_(CAROL).get("/v1/permissions?limit=200").json["items"]

    assert {entry["name"]: entry["description"] for entry in shown if entry["system"]} == DESCRIBED


def test_the_auditor_reads_everything_and_writes_nothing(
    stage: Stage, guarding: dict[str, list[str]]
) -> None:
    held = set(stage.as_(CAROL).get("/v1/me").json["permissions"])
    reading = {operation.permission for operation in operations(stage.app) if not operation.writes}

    assert held == reading - {None}
    writing = [operation for operation in operations(stage.app) if operation.writes and not operation.asks]
    assert not any(operation.permission in held for operation in writing)


def test_the_administrator_holds_all_of_them(stage: Stage) -> None:
    assert set(DESCRIBED) <= set(stage.as_(CAROL).get(f"/v1/roles/{ADMIN}").json["effective_permissions"])
