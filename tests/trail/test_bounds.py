"""What callers send does not decide how much the trail keeps: every text of every event has an end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rbac_api.database.tables import trail_events
from rbac_api.trail.events import CATALOGUE
from rbac_api.trail.recorder import MAX_TEXT_LENGTH, Actor, Event, Target, record, record_events
from tests.builders import Stage
from tests.cast import CAROL, DAVE

ENDLESS = "ł" * 8000
NOBODY = "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"
FACTS: dict[str, Any] = {
    "text": ENDLESS,
    "list": [ENDLESS, 1],
    "inner": {ENDLESS: {"deep": ENDLESS}},
    "number": 7,
}
COLUMNS = [column.name for column in trail_events.columns]


def texts(value: Any) -> list[str]:
    """Every text in a JSON value, names of members included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in texts(part)]
    return [text for part in value for text in texts(part)] if isinstance(value, list) else []


def stored(stage: Stage, action: str | None = None) -> list[dict[str, Any]]:
    """The rows with all their columns."""
    rows = stage.query(f"SELECT {', '.join(COLUMNS)} FROM trail_events ORDER BY seq")
    found = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    return [row for row in found if action in (None, row["action"])]


def too_long(row: dict[str, Any]) -> list[str]:
    """The columns of an event in which a text is longer than it may be."""
    inside = {"before", "after"}
    plain = [name for name in COLUMNS if name not in inside and len(str(row[name])) > MAX_TEXT_LENGTH]
    deep = [
        name for name in inside if row[name] and max(map(len, texts(json.loads(row[name])))) > MAX_TEXT_LENGTH
    ]
    return plain + deep


@pytest.mark.parametrize("action", sorted(CATALOGUE))
def test_no_event_keeps_an_endless_text_in_any_field(stage: Stage, action: str) -> None:
    actor = Actor("user", ENDLESS, ENDLESS, NOBODY, ENDLESS, ENDLESS)
    target = Target(ENDLESS, ENDLESS, ENDLESS)
    with stage.database.writing() as connection:
        record(connection, actor, action, target, reason=ENDLESS, before=FACTS, after=FACTS)
        record_events(connection, actor, [Event(action, target, ENDLESS, after=FACTS)])

    rows = stored(stage)[-2:]

    assert [too_long(row) for row in rows] == [[], []]
    assert json.loads(rows[0]["after"])["number"] == 7
    assert rows[0]["target_name"].endswith("ł…")


def test_a_text_that_is_as_long_as_may_be_stays_whole(stage: Stage) -> None:
    whole = "x" * MAX_TEXT_LENGTH
    with stage.database.writing() as connection:
        record(
            connection, Actor("system"), "user.updated", Target("user"), reason=whole, after={"text": whole}
        )

    row = stored(stage)[-1]

    assert (row["reason"], json.loads(row["after"])) == (whole, {"text": whole})


def test_what_a_stranger_or_an_auditor_sends_has_an_end_in_the_trail(stage: Stage) -> None:
    long = "x" * 7000
    headers = {"User-Agent": long, "X-Request-ID": long}
    stage.caller().call(
        "POST", "/v1/auth/login", json={"username": "x" * 250, "password": long[:1000]}, headers=headers
    )
    dave, carol = stage.as_(DAVE), stage.as_(CAROL)
    dave.call("GET", "/v1/users?q=" + long, headers=headers)
    dave.call("GET", "/v1/roles/" + long, headers=headers)
    carol.call("GET", "/v1/audit/events?target=" + "x" * 256, headers=headers)
    carol.call("GET", "/v1/audit/events?format=csv&target=" + "x" * 256, headers=headers)

    sizes = [sum(len(str(value)) for value in row.values()) for row in stored(stage)]

    assert max(sizes) < 2000
