"""A caller who repeats what is refused fills nothing: written once a minute for each account and cause, and no count is lost."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rbac_api import clock
from rbac_api.errors import Unavailable
from rbac_api.guard.enforcement import refusals
from rbac_api.guard.incidents import repetitions as repeated
from rbac_api.guard.incidents.repetitions import QUIET_SECONDS, Repetitions
from rbac_api.trail.sequencer import drain_outbox
from tests.builders import Caller, Stage
from tests.cast import ALICE, BOB, DAVE
from tests.contract.operations import operations
from tests.contract.test_permission_matrix import cell
from tests.patience import eventually
from tests.trail.breakage import FIRST_WRITTEN, renamed

FLOOD = 30
PLACE = {"sqlite": "decisions", "postgresql": "trail_outbox"}  # where the number of a refusal stands first


class Leaping:
    """The monotonic clock, which leaps when the test says so."""

    def __init__(self) -> None:
        self.ahead, self._real = 0.0, clock.monotonic

    def __call__(self) -> float:
        return self._real() + self.ahead


@pytest.fixture
def leaping(monkeypatch: pytest.MonkeyPatch) -> Leaping:
    found = Leaping()
    monkeypatch.setattr(clock, "monotonic", found)
    return found


def told(stage: Stage) -> list[dict[str, Any]]:
    """What the refusals in the trail say."""
    return [json.loads(event["after"]) for event in stage.events("access.refused")]


def times(stage: Stage) -> list[int]:
    return [facts["times"] for facts in told(stage)]


def flood(caller: Caller, path: str = "/v1/users", number: int = FLOOD) -> set[str]:
    """The numbers that so many refusals are given."""
    answers = [caller.get(path) for _ in range(number)]
    assert {answer.status_code for answer in answers} == {403}
    return {answer.json["decision_id"] for answer in answers}


def rows(stage: Stage) -> int:
    drain_outbox(stage.database)
    return int(
        stage.query("SELECT (SELECT count(*) FROM trail_events) + (SELECT count(*) FROM decisions)")[0][0]
    )


def test_a_flood_of_one_refusal_is_one_event_and_one_number(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    before = rows(stage)

    numbers = flood(dave)

    assert (len(numbers), rows(stage) - before, times(stage)) == (1, 2, [1])
    assert dave.get(f"/v1/decisions/{numbers.pop()}").json["permission"] == "users:read"


def test_the_next_event_says_how_many_it_stands_for(stage: Stage, leaping: Leaping) -> None:
    dave = stage.as_(DAVE)
    flood(dave)
    leaping.ahead += QUIET_SECONDS

    flood(dave)

    assert times(stage) == [1, FLOOD]


def test_the_count_is_written_though_no_further_refusal_follows(stage: Stage, leaping: Leaping) -> None:
    flood(stage.as_(DAVE))
    stage.guard.repeated.flush()
    assert times(stage) == [1], "its minute is not over"
    leaping.ahead += QUIET_SECONDS

    stage.guard.repeated.flush()
    stage.guard.repeated.flush()

    assert sum(times(stage)) == FLOOD
    assert len(times(stage)) == 2
    (first, later) = stage.events("access.refused")
    assert [later[name] for name in ("actor_name", "target_id", "reason")] == [
        first[name] for name in ("actor_name", "target_id", "reason")
    ]


def test_whenever_the_minutes_pass_the_sum_is_what_was_refused(stage: Stage, leaping: Leaping) -> None:
    dave, bob = stage.as_(DAVE), stage.as_(BOB)
    for number in range(1, 8):
        flood(dave, number=number)
        flood(bob, "/v1/audit/events", number)
        leaping.ahead += QUIET_SECONDS / 3
        if number % 2:
            stage.guard.repeated.flush()
    stage.guard.repeated.flush(everything=True)

    sums = dict.fromkeys(("dave", "bob"), 0)
    for event in stage.events("access.refused"):
        sums[event["actor_name"]] += json.loads(event["after"])["times"]
    assert sums == {"dave": 28, "bob": 28}
    assert len(stage.events("access.refused")) <= 2 * 2 * 4


def test_a_process_that_stops_writes_what_it_has_counted(node: Any, stage: Stage) -> None:
    other = node()
    flood(other.as_(DAVE))

    other.guard.repeated.close()

    assert sum(times(stage)) == FLOOD


def test_the_thread_writes_what_no_request_does(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeated, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(repeated, "QUIET_SECONDS", 0.2)
    counts, written = Repetitions(), []
    later: Any = lambda number: bool(written.append(number)) or True  # noqa: E731

    for _ in range(FLOOD):
        counts.count(("kind", "subject"), later)
    assert eventually(lambda: written)
    counts.close()

    assert written == [FLOOD - 1]


def test_what_could_not_be_written_is_counted_again(stage: Stage, leaping: Leaping) -> None:
    dave = stage.as_(DAVE)
    flood(dave, number=5)
    leaping.ahead += QUIET_SECONDS
    with renamed(stage, FIRST_WRITTEN[stage.engine]):
        stage.guard.repeated.flush()

    leaping.ahead += QUIET_SECONDS
    flood(dave, number=1)
    stage.guard.repeated.flush(everything=True)

    assert sum(times(stage)) == 6


def test_a_refusal_that_could_not_be_written_stands_in_the_next_event(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    with renamed(stage, PLACE[stage.engine]):
        assert [dave.get("/v1/users").status_code for _ in range(3)] == [503] * 3

    flood(dave, number=1)
    stage.guard.repeated.flush(everything=True)  # the thread may have written the first three already

    assert sum(times(stage)) == 4


def test_an_answer_never_names_a_refusal_that_was_not_written(stage: Stage) -> None:
    dave = stage.as_(DAVE)
    with renamed(stage, PLACE[stage.engine]):
        assert dave.get("/v1/users").status_code == 503
        stage.guard.repeated.flush()  # as the thread does: on SQLite the event can be written, its number was not
        assert dave.get("/v1/users").status_code == 503
    stage.guard.repeated.flush()

    numbers = flood(dave, number=2)

    assert [stage.as_(ALICE).get(f"/v1/decisions/{number}").status_code for number in numbers] == [200]


def test_who_must_make_room_is_written_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeated, "MAX_REMEMBERED", 3)
    counts, written = Repetitions(), []

    for number in range(5):
        for _ in range(3):
            counts.count(
                ("kind", str(number)), lambda times, n=number: bool(written.append((n, times))) or True
            )
    assert len(counts._counted) == 3
    counts.flush()
    assert sorted(written) == [(0, 2), (1, 2)]
    counts.close()

    assert sorted(written) == [(number, 2) for number in range(5)]


def test_another_account_and_another_cause_are_told_at_once(stage: Stage) -> None:
    dave, bob = stage.as_(DAVE), stage.as_(BOB)

    flood(dave)
    flood(dave, "/v1/audit/events")
    flood(bob, "/v1/audit/events")

    assert [event["actor_name"] for event in stage.events("access.refused")] == ["dave", "dave", "bob"]


def test_another_session_of_the_account_is_the_same_account(stage: Stage) -> None:
    for _ in range(3):
        flood(stage.as_(DAVE))

    assert times(stage) == [1]


def test_more_causes_than_are_told_apart_are_counted_together(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, leaping: Leaping
) -> None:
    monkeypatch.setattr(refusals, "MAX_CAUSES", 3)
    dave = stage.as_(DAVE)
    paths = ("/v1/users", "/v1/roles", "/v1/permissions", "/v1/audit/events", "/v1/keys", "/v1/sessions")

    answers = [dave.get(path) for path in paths]

    assert ["decision_id" in answer.json for answer in answers] == [True] * 3 + [False] * 3
    assert times(stage) == [1] * 4
    leaping.ahead += QUIET_SECONDS
    stage.guard.repeated.flush()
    assert sum(times(stage)) == len(paths)
    assert "decision_id" in dave.get("/v1/keys").json, "a new minute"


def test_accounts_that_are_told_apart_are_bounded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "MAX_REMEMBERED", 1)
    flood(stage.as_(DAVE))
    flood(stage.as_(BOB), "/v1/audit/events")

    assert len(stage.guard.refusals._causes) == 1


@pytest.mark.parametrize("length", [200, 7000])
def test_a_long_path_is_cut_in_every_text_of_the_event(stage: Stage, length: int) -> None:
    stage.as_(DAVE).get("/v1/roles/" + "x" * length)

    (event,) = stage.events("access.refused")

    assert all(len(str(value)) < 1000 for value in event.values())
    assert len(json.loads(event["after"])["path"]) == refusals.MAX_PATH_LENGTH


def test_a_user_without_permissions_is_refused_everywhere_and_fills_nothing(
    stage: Stage, leaping: Leaping
) -> None:
    """Every operation that asks for a permission, over and over: as many events a minute as there are causes."""
    dave = stage.as_(DAVE)
    asked = [found for found in operations(stage.app) if found.permission]
    before = rows(stage)
    for _ in range(3):
        for found in asked:
            cell(dave, found)
    causes = {found.permission for found in asked}

    assert rows(stage) - before <= 2 * len(causes)
    assert stage.as_(ALICE).get("/v1/audit/events?action=access.refused").status_code == 200


def test_a_database_that_does_not_answer_is_waited_for_once(leaping: Leaping) -> None:
    counts, asked, there = Repetitions(), [], [False]

    def write(times: int) -> bool:
        asked.append(times)
        if not there[0]:
            raise Unavailable()
        return True

    for key in ("one", "other"):
        for _ in range(3):
            counts.count(("kind", key), write)
    leaping.ahead += QUIET_SECONDS
    counts.flush()
    assert asked == [2]
    there[0] = True
    counts.close()

    assert asked == [2, 2, 2]


def test_what_has_nowhere_to_be_written_yet_is_counted_on(leaping: Leaping) -> None:
    counts = Repetitions()
    for _ in range(3):
        counts.count(("kind", "subject"), lambda times: False)
    leaping.ahead += QUIET_SECONDS
    counts.flush()

    assert counts.count(("kind", "subject"), lambda times: True)[0] == 3
    counts.close()
