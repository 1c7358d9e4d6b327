"""Closing an incident: once, by who may end sessions, with what was found out."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import update

from rbac_api.capabilities.incidents import service
from rbac_api.database.tables import incidents
from rbac_api.trail.recorder import Target
from tests.builders import Caller, Stage
from tests.capabilities.incidents.test_incidents import (
    ask,
    listed,
    only,
    present,
    quiet_passes,
    uses_a_dead_token,
)
from tests.capabilities.signin.crowd import together
from tests.cast import ALICE, BOB, CAROL, DAVE

WHY = "Her old laptop; wiped"


def close(caller: Caller, incident: dict[str, Any], reason: Any = WHY) -> Any:
    return caller.post(f"/v1/incidents/{incident['id']}/close", json={"reason": reason})


def test_alice_closes_it_and_says_what_she_found(stage: Stage) -> None:
    uses_a_dead_token(stage)
    found, alice = only(stage), stage.as_(ALICE)

    answer = close(alice, found)

    assert answer.status_code == 200
    closed = only(stage, "state=closed")
    assert answer.json == closed
    assert (closed["state"], closed["close_reason"]) == ("closed", WHY)
    assert (closed["closed_by"], closed["other"]) == (stage.user_id(ALICE), found["other"])
    assert listed(stage) == []
    (event,) = stage.events("incident.closed")
    assert (event["actor_name"], event["reason"], event["target_id"]) == ("alice", WHY, found["id"])


def test_the_auditor_sees_it_and_cannot_close_it(stage: Stage) -> None:
    uses_a_dead_token(stage)
    found = only(stage)

    for person in (CAROL, DAVE):
        assert close(stage.as_(person), found).json["required"] == "sessions:revoke"
    assert stage.caller().post(f"/v1/incidents/{found['id']}/close", json={"reason": WHY}).status_code == 401
    assert only(stage) == found


def test_bob_cannot_close_what_is_about_somebody_who_holds_more(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/auth/logout")
    ask(alice)
    bob = stage.as_(BOB)

    assert close(bob, only(stage)).json["code"] == "target.stronger"
    bob.post("/v1/auth/logout")
    ask(bob)
    about_bob = next(item for item in listed(stage) if item["user"]["username"] == "bob")
    assert close(stage.as_(BOB), about_bob).status_code == 200


def test_what_is_closed_stays_as_it_was_closed(stage: Stage) -> None:
    uses_a_dead_token(stage)
    found, alice = only(stage), stage.as_(ALICE)
    close(alice, found)

    again = close(alice, found, "Never mind")

    assert (again.status_code, again.json["code"]) == (409, "incident.closed")
    assert only(stage, "state=closed")["close_reason"] == WHY
    assert len(stage.events("incident.closed")) == 1


def test_an_incident_that_does_not_exist_cannot_be_closed(stage: Stage) -> None:
    assert close(stage.as_(ALICE), {"id": stage.user_id(DAVE)}).json["code"] == "incident.not_found"


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": None}, {"reason": 1}, {"reason": WHY, "state": "open"}]
)
def test_without_a_reason_it_stays_open(stage: Stage, body: dict[str, Any]) -> None:
    uses_a_dead_token(stage)
    found = only(stage)

    assert stage.as_(ALICE).post(f"/v1/incidents/{found['id']}/close", json=body).status_code == 422
    assert only(stage)["state"] == "open"


def test_the_same_again_opens_another_one(stage: Stage) -> None:
    dave = uses_a_dead_token(stage)
    first = only(stage)
    close(stage.as_(ALICE), first)

    quiet_passes(stage)
    ask(dave)

    second = only(stage)
    assert second["id"] != first["id"]
    assert second["occurrences"] == 1
    assert len(stage.events("incident.opened")) == 2
    assert present(stage, dave.tokens["refresh_token"]).json["code"] == "token.revoked"


def crowd_closes(stage: Stage, nodes: list[Stage]) -> tuple[list[int], int]:
    uses_a_dead_token(stage)
    found = only(stage)
    admins = [nodes[number % len(nodes)].as_(ALICE) for number in range(6)]
    answers = together(6, lambda number: close(admins[number], found, f"By {number}"))
    return sorted(answer.status_code for answer in answers), len(stage.events("incident.closed"))


def test_of_six_who_close_it_at_once_one_does(stage: Stage, nodes: list[Stage]) -> None:
    assert crowd_closes(stage, nodes) == ([200] + [409] * 5, 1)


def test_who_looks_before_the_lock_closes_it_twice(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    ready = threading.Barrier(6)

    def careless(clearance: Any, incident_id: str, reason: str) -> dict[str, Any]:
        """The vulnerable twin: looks whether it is open, and then closes it whatever it is."""
        with clearance.work.database.reading() as connection:
            row = service.queries.find_incident(connection, incident_id)
        if row is None or row.closed_at is not None:
            raise service.IncidentClosed
        ready.wait(timeout=60)
        values = {"closed_at": service.clock.now(), "close_reason": reason}
        clearance.connection.execute(update(incidents).where(incidents.c.id == incident_id).values(values))
        clearance.record("incident.closed", Target("incident", incident_id), reason=reason)
        return service.get_incident(clearance, incident_id)

    monkeypatch.setattr(service, "close_incident", careless)

    assert crowd_closes(stage, [stage]) == ([200] * 6, 6)
