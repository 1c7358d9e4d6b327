"""Carol takes the whole trail home: as a stream, complete, in flat memory, however long it is and however slowly she reads."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator

import pytest

from rbac_api.capabilities.audit.service import stream_events
from rbac_api.formats.sheets import CHUNK
from tests.builders import Stage
from tests.cast import ALICE, CAROL, DAVE
from tests.patience import connections_held
from tests.sizes import sized

ROWS = sized(6000, 1_000_000)  # a million takes minutes and the same memory
MEGABYTES = 3
COPIED = (
    "at, actor_type, actor_id, actor_name, session_id, action, target_type, target_id, target_name, outcome, reason, before, after,"
    " ip, request_id, prev_hash, hash"
)
NUMBERS = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {0}) SELECT i FROM n)",
    "postgresql": "(SELECT generate_series(1, {0}) AS i)",
}
MEDIA = {"csv": "text/csv", "ndjson": "application/x-ndjson"}


def lengthen(stage: Stage, rows: int) -> int:
    """Copies of the newest event, so many that there are ``rows`` more; the last one's number."""
    newest = stage.events()[-1]["seq"]
    numbers = NUMBERS[stage.engine].format(rows)
    copies = f"SELECT {newest} + i, {COPIED} FROM {numbers} AS numbers, trail_events WHERE seq = {newest}"
    stage.execute(f"INSERT INTO trail_events (seq, {COPIED}) {copies}")
    return int(newest + rows)


@pytest.mark.soak
@pytest.mark.parametrize("form", MEDIA)
def test_a_long_trail_passes_through_flat_memory(stage: Stage, form: str) -> None:
    last = lengthen(stage, ROWS)
    stream = stream_events(stage.database, {}, form, last)  # type: ignore[arg-type]
    lines = next(stream).count(b"\n")
    tracemalloc.start()

    lines += sum(chunk.count(b"\n") for chunk in stream)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert lines >= ROWS
    assert peak < MEGABYTES << 20, f"{peak >> 20} MB for {lines} lines"


@pytest.mark.parametrize("form", MEDIA)
def test_the_export_is_the_trail_oldest_first(stage: Stage, form: str) -> None:
    carol, last = stage.as_(CAROL), lengthen(stage, 2 * CHUNK + 1)

    answer = carol.get("/v1/audit/events?limit=3&count=true", headers={"Accept": MEDIA[form]})

    assert answer.content_type == f"{MEDIA[form]}; charset=utf-8"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="audit.{form}"'
    assert [event["seq"] for event in parsed(answer.text, form)] == [str(n) for n in range(1, last + 1)]


def parsed(text: str, form: str) -> Iterator[dict[str, str]]:
    if form == "csv":
        yield from csv.DictReader(io.StringIO(text, newline=""))
    else:
        yield from ({"seq": str(event["seq"])} for event in map(json.loads, text.splitlines()))


def test_an_event_reads_the_same_in_every_form(stage: Stage) -> None:
    alice, carol = stage.as_(ALICE), stage.as_(CAROL)
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/auditor", json={"reason": "For the audit"})
    query = "/v1/audit/events?action=assignment.created&actor=alice"

    page = carol.get(query).json["items"]
    lines = carol.get(query, headers={"Accept": MEDIA["ndjson"]}).text.splitlines()
    cells = list(
        csv.DictReader(io.StringIO(carol.get(query, headers={"Accept": MEDIA["csv"]}).text, newline=""))
    )

    assert [json.loads(line) for line in lines] == page
    assert len(cells) == len(page) == 1
    assert cells[0]["at"] == page[0]["at"]
    assert (cells[0]["target_name"], cells[0]["reason"]) == ("dave", "For the audit")
    assert json.loads(cells[0]["after"]) == page[0]["after"] == {"role": "auditor"}
    assert cells[0]["before"] == ""


def test_filters_hold_for_the_export_too(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    stage.as_(DAVE).get("/v1/users")

    text = carol.get("/v1/audit/events?outcome=refused", headers={"Accept": MEDIA["ndjson"]}).text
    nothing = carol.get("/v1/audit/events?actor=nobody", headers={"Accept": MEDIA["csv"]}).text

    assert [json.loads(line)["actor"]["name"] for line in text.splitlines()] == ["dave"]
    assert nothing.count("\r\n") == 1, "the names of the columns"


def test_what_is_written_while_carol_reads_slowly_is_not_in_her_export(stage: Stage) -> None:
    carol, last = stage.as_(CAROL), lengthen(stage, 3 * CHUNK)
    answer = carol.client.get("/v1/audit/events", headers={**carol.headers, "Accept": MEDIA["ndjson"]})
    stream = answer.iter_encoded()
    first = next(stream)

    free = connections_held(stage.database)
    lengthen(stage, 5)

    assert free == 0, "no connection waits for her"
    events = [json.loads(line)["seq"] for line in (first + b"".join(stream)).splitlines()]
    assert events == list(range(1, last + 1))
    answer.close()


def test_an_export_that_carol_breaks_off_leaves_nothing_behind(stage: Stage) -> None:
    carol = stage.as_(CAROL)
    lengthen(stage, 3 * CHUNK)
    answer = carol.client.get("/v1/audit/events", headers={**carol.headers, "Accept": MEDIA["csv"]})

    next(answer.iter_encoded())
    answer.close()

    assert connections_held(stage.database) == 0
    assert carol.get("/v1/audit/events?limit=1").status_code == 200


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("text/csv; charset=utf-8", "csv"),
        ("text/csv;charset=UTF-8, application/json;q=0.9", "csv"),
        ('application/x-ndjson; charset="utf-8"', "ndjson"),
    ],
)
def test_carol_may_name_the_charset_she_gets_anyway(stage: Stage, accept: str, form: str) -> None:
    assert stage.as_(CAROL).get("/v1/audit/events", headers={"Accept": accept}).mimetype == MEDIA[form]


@pytest.mark.parametrize(
    "accept",
    [
        "*/*", "", "text/html", "image/png, */*;q=0.1", "application/json, text/csv;q=0.9",
        "application/json; charset=utf-8, text/csv;q=0.9",
    ],
)  # fmt: skip
def test_pages_of_json_are_what_everybody_else_gets(stage: Stage, accept: str) -> None:
    assert stage.as_(CAROL).get("/v1/audit/events", headers={"Accept": accept}).mimetype == "application/json"
