"""On PostgreSQL a refusal takes no lock: its event and what explains it wait together, and are linked together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rbac_api import clock
from rbac_api.capabilities.audit.service import verify_trail
from rbac_api.trail import recorder, sequencer
from rbac_api.trail.refused import decision_text
from rbac_api.trail.sequencer import drain_outbox
from tests.builders import Stage
from tests.capabilities.signin.crowd import together
from tests.cast import ALICE, DAVE
from tests.trail.breakage import broken

pytestmark = pytest.mark.outside
PATHS = ("/v1/users", "/v1/roles", "/v1/permissions", "/v1/sessions", "/v1/audit/events", "/v1/keys")


@pytest.fixture
def waiting(stages: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """The application on PostgreSQL, whose own sequencer links nothing."""
    stage: Stage = stages.get("postgresql")
    stage.reset()
    monkeypatch.setattr(sequencer, "drain_outbox", lambda _database: None)
    yield stage
    monkeypatch.undo()
    drain_outbox(stage.database)


def numbers(stage: Stage) -> list[str]:
    """The decisions that have the number of their event."""
    rows = stage.query(
        "SELECT d.id FROM decisions d JOIN trail_events e ON e.seq = d.seq WHERE e.action = 'access.refused' ORDER BY d.seq"
    )
    return [str(number) for (number,) in rows]


def test_a_refusal_is_answered_while_another_transaction_holds_the_write_lock(waiting: Stage) -> None:
    dave = waiting.as_(DAVE)
    with waiting.database.writing():
        answer = dave.get("/v1/users")

    assert answer.status_code == 403
    assert dave.get(f"/v1/decisions/{answer.json['decision_id']}").json["permission"] == "users:read"
    assert numbers(waiting) == [answer.json["decision_id"]]


def refused_together(stage: Stage) -> list[str]:
    """The numbers of refusals at once, some of which another writer linked meanwhile."""
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)

    def go(number: int) -> str:
        found: str = dave.get(PATHS[number]).json["decision_id"]
        alice.patch("/v1/me", json={"display_name": f"A{number}"})
        return found

    given = together(len(PATHS), go)
    drain_outbox(stage.database)
    return sorted(given)


def test_each_refusal_of_many_at_once_has_its_event_and_no_other(waiting: Stage) -> None:
    given = refused_together(waiting)

    assert sorted(numbers(waiting)) == given
    assert len(waiting.events("access.refused")) == len(given)
    assert verify_trail(waiting.database, {}).problem is None


def test_if_linking_left_out_what_explains_them_no_number_would_lead_to_one(
    waiting: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "add_decisions", lambda *_: None)

    assert numbers(waiting) == []
    assert len(refused_together(waiting)) == len(PATHS)
    assert numbers(waiting) == []


def test_where_the_explanation_cannot_be_linked_the_event_waits_too(waiting: Stage) -> None:
    number = waiting.as_(DAVE).get("/v1/users").json["decision_id"]
    with broken(waiting, "decisions"), pytest.raises(recorder.TrailUnavailable):
        drain_outbox(waiting.database)
    assert numbers(waiting) == []

    drain_outbox(waiting.database)

    assert numbers(waiting) == [number]
    assert len(waiting.events("access.refused")) == 1


def test_no_text_of_a_refusal_can_hold_up_the_trail(waiting: Stage) -> None:
    """What the table cannot take would fail only when it is linked, and with it all that waits."""
    row = {
        "id": "0190a1b2-0000-7000-8000-00000000000a", "at": clock.now(), "user_id": None, "session_id": None,
        "permission": "p" * 1000, "role": "r\0" * 1000, "code": "c" * 1000, "detail": "d\0" * 10_000, "second_factor": False,
        "chosen_roles": None,
    }  # fmt: skip
    refusal = recorder.Event("access.refused", recorder.Target("operation", "/x"), outcome="refused")
    (event,) = recorder.prepared_events(recorder.SYSTEM, (refusal,))
    sequencer.record_alone(waiting.database, event | {"decision": decision_text(row)})

    drain_outbox(waiting.database)

    assert numbers(waiting) == [row["id"]]
