"""The trail read by position: oldest first, each event exactly once, whatever waits and whatever the clocks say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from time_machine import Traveller

from rbac_api import clock
from rbac_api.capabilities.audit import queries
from rbac_api.trail import recorder
from rbac_api.trail.outbox import trail_outbox
from rbac_api.trail.recorder import Actor, Event, Target, prepared_events
from tests.builders import Caller, Stage
from tests.cast import ALICE, CAROL, DAVE

PATH = "/v1/audit/events"


def followed(carol: Caller, first: int, limit: int = 7) -> list[int]:
    """The numbers that a program gets that reads from an event on, page by page, until there is no more."""
    path, seen = f"{PATH}?from_seq={first}&limit={limit}", []
    while path:
        answer = carol.get(path)
        seen += [event["seq"] for event in answer.json["items"]]
        path = answer.headers["Link"].split(">")[0].strip("<") if answer.json["next"] else ""
    return seen


def put_waiting(stage: Stage, hours: int, *names: str) -> None:
    """Let events wait that a node wrote whose clock is wrong; on SQLite none ever waits, so they are linked."""
    rows = prepared_events(Actor("user"), [Event("token.rotated", Target("session", name)) for name in names])
    table = trail_outbox if stage.engine == "postgresql" else None
    with stage.database.writing() as connection:
        for row in rows:
            row["at"] += timedelta(hours=hours)
            if table is not None:
                connection.execute(table.insert().values(row))


def test_the_trail_is_read_oldest_first_from_a_number_on(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    carol.get(PATH)
    numbers = [event["seq"] for event in stage.events()]

    assert followed(carol, 0) == followed(carol, 1) == numbers
    assert followed(carol, numbers[5]) == numbers[5:]
    assert followed(carol, numbers[-1] + 1) == []


@pytest.mark.parametrize("hours", [-3, 0, 3])
def test_a_follower_gets_each_event_once_whatever_the_clocks_say(stage: Stage, hours: int) -> None:
    carol, seen = stage.as_(CAROL), []
    carol.get(PATH)
    for number in range(4):
        put_waiting(stage, hours, f"a-{number}", f"b-{number}")
        stage.as_(DAVE)
        seen += followed(carol, seen[-1] + 1 if seen else 1)

    assert seen == [event["seq"] for event in stage.events()]
    assert stage.query("SELECT count(*) FROM trail_outbox") == [(0,)]


def test_a_position_by_time_would_lose_an_event_of_a_slow_clock(stage: Stage) -> None:
    """The vulnerable twin: a program that continues after the newest time it saw."""
    carol = stage.as_(CAROL)
    newest = carol.get(f"{PATH}?limit=1").json["items"][0]["at"]
    with stage.database.writing() as connection:
        row = prepared_events(Actor("user"), [Event("token.rotated", Target("session", "late"))])[0]
        row["at"] = clock.now() - timedelta(hours=3)
        recorder._append(connection, [row])

    later = carol.get(f"{PATH}?after={newest.replace('+', '%2B')}").json["items"]
    assert "late" not in {event["target"]["id"] for event in later}
    assert "late" in {
        event["target"]["id"] for event in carol.get(f"{PATH}?from_seq=1&limit=200").json["items"]
    }


def test_an_export_begins_at_the_position_too(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    lines = carol.get(f"{PATH}?from_seq=5", headers={"Accept": "application/x-ndjson"}).text.splitlines()

    assert lines[0].startswith('{"seq":5,')


@pytest.mark.parametrize("value", ["-1", "x", "1.5", "", "1" * 19, "٣"])
def test_a_position_is_a_number(stage: Stage, value: str) -> None:
    assert stage.as_(CAROL).get(f"{PATH}?from_seq={value}").status_code == 422


def readings(stage: Stage) -> list[Any]:
    return [event["actor_name"] for event in stage.events("audit.read")]


def test_a_reading_is_recorded_once_per_reader_and_hour(stage: Stage, time_machine: Traveller) -> None:
    hour = clock.now().replace(minute=0, second=1) + timedelta(hours=1)
    time_machine.move_to(hour, tick=False)
    alice, carol = stage.as_(ALICE), stage.as_(CAROL)
    for _ in range(3):
        carol.get(PATH)
        carol.get(f"{PATH}?from_seq=1")
        carol.get(f"{PATH}/1")
    alice.get(PATH)
    assert readings(stage) == ["carol", "alice"]

    time_machine.move_to(hour + timedelta(hours=1), tick=False)
    stage.as_(CAROL).get(PATH)
    assert readings(stage) == ["carol", "alice", "carol"]


def test_two_first_readings_at_once_are_recorded_once(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both found nothing recorded, then one had the write lock first."""
    carol, real, asked = stage.as_(CAROL), queries.is_reading_recorded, []

    def look(connection: Any, reader: str | None, since: Any) -> bool:
        asked.append(reader)
        if len(asked) == 1:
            carol.get(PATH)  # the other request, whole
            return False
        return real(connection, reader, since)

    monkeypatch.setattr(queries, "is_reading_recorded", look)
    carol.get(PATH)

    assert readings(stage) == ["carol"]


def test_each_export_is_recorded(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    for _ in range(3):
        carol.get(f"{PATH}?action!=token.rotated", headers={"Accept": "text/csv"})

    facts = [event["after"] for event in stage.events("audit.exported")]
    assert facts == ['{"action!":["token.rotated"],"form":"csv"}'] * 3
