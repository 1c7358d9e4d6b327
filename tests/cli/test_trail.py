"""`audit verify` names the first broken row for every way of tampering; `audit export` streams and is recorded."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.builders import Stage
from tests.cast import BOB
from tests.cli.conftest import Shell
from tests.conftest import Stages

TRIGGERS = ("trail_events_no_update", "trail_events_no_delete", "trail_events_no_replace")


def tamper(stage: Stage, *statements: str) -> None:
    """What somebody with the database in hand can do: put the triggers out of the way, then change rows."""
    sqlite = [f"DROP TRIGGER {name}" for name in TRIGGERS]
    stage.execute(
        *(sqlite if stage.engine == "sqlite" else ["SET LOCAL session_replication_role = replica"]),
        *statements,
    )


def last(shell: Shell) -> dict[str, Any]:
    found: dict[str, Any] = shell.json("audit", "verify")["last"]
    return found


def test_an_untouched_trail_is_intact_and_its_end_can_be_noted(stage: Stage, shell: Shell) -> None:
    end = last(shell)
    assert end["seq"] == stage.events()[-1]["seq"]
    said = shell("audit", "verify")
    assert said.exit_code == 0
    assert f"audit verify --expect {end['seq']}:{end['hash']}" in said.stdout


def test_what_was_noted_outside_is_found_again(stage: Stage, shell: Shell) -> None:
    end = last(shell)
    stage.as_(BOB)
    said = shell("audit", "verify", "--expect", f"{end['seq']}:{end['hash']}")
    assert said.exit_code == 0
    assert "Every event given with --expect is present" in said.stdout


@pytest.mark.parametrize(
    ("statement", "broken", "problem"),
    [
        ("UPDATE trail_events SET target_name = 'malory' WHERE seq = 5", 5, "altered"),
        ("UPDATE trail_events SET at = '2020-01-01 00:00:00.000000' WHERE seq = 6", 6, "altered"),
        (
            "UPDATE trail_events SET session_id = '0198a00000007000800000000000000f' WHERE seq = 6",
            6,
            "altered",
        ),
        ("DELETE FROM trail_events WHERE seq = 7", 8, "event 7 is missing"),
        ("DELETE FROM trail_events WHERE seq = 1", 2, "event 1 is missing"),
    ],
)
def test_the_first_broken_row_is_named(
    stage: Stage, shell: Shell, statement: str, broken: int, problem: str
) -> None:
    tamper(stage, statement)
    found = shell.json("audit", "verify", code=1)
    assert found["intact"] is False
    assert found["broken"]["seq"] == broken
    assert problem in found["broken"]["problem"]
    assert f"BROKEN at event {broken}" in shell("audit", "verify").stdout


def test_swapped_rows_are_named(stage: Stage, shell: Shell) -> None:
    places = ((5, 99_999), (9, 5), (99_999, 9))
    tamper(stage, *(f"UPDATE trail_events SET seq = {new} WHERE seq = {old}" for old, new in places))
    broken = shell.json("audit", "verify", code=1)["broken"]
    assert broken == {"seq": 5, "problem": "event 5 does not link to event 4"}


def test_a_cut_tail_is_found_by_what_was_noted(stage: Stage, shell: Shell) -> None:
    end = last(shell)
    tamper(stage, f"DELETE FROM trail_events WHERE seq > {end['seq'] - 3}")
    assert shell.json("audit", "verify")["intact"] is True
    found = shell("audit", "verify", "--expect", f"{end['seq']}:{end['hash']}")
    assert found.exit_code == 1
    assert f"the tail was cut after {end['seq'] - 3}" in found.stdout


def test_a_rewritten_chain_is_found_by_what_was_noted(shell: Shell) -> None:
    found = shell.json("audit", "verify", "--expect", f"3:{'0' * 64}", code=1)
    assert found["broken"]["seq"] == 3


@pytest.mark.parametrize(
    "garbage",
    [
        "at = 'x'",
        "at = CAST(x'ff41' AS TEXT)",
        "request_id = CAST(x'ff41' AS TEXT)",
        "after = ''",
        "actor_name = 7",
        "hash = CAST(x'ff41' AS TEXT)",
    ],
)
def test_sqlite_holds_anything_and_the_walk_still_names_the_row(stages: Stages, garbage: str) -> None:
    stage = stages.get("sqlite")
    stage.reset()
    tamper(stage, f"UPDATE trail_events SET {garbage} WHERE seq = 4")
    assert Shell(stage.app).json("audit", "verify", code=1)["broken"]["seq"] == 4


def test_sessions_ids_are_verified_as_they_were_hashed(stage: Stage, shell: Shell) -> None:
    stage.as_(BOB).post("/v1/auth/logout")
    assert stage.query("SELECT count(*) FROM trail_events WHERE session_id IS NOT NULL")[0][0]
    assert shell.json("audit", "verify")["intact"] is True


@pytest.mark.parametrize("noted", ["5", "x:" + "a" * 64, "0:" + "a" * 64, "5:" + "g" * 64, "5:abc"])
def test_a_note_that_is_none_is_a_usage_error(shell: Shell, noted: str) -> None:
    assert "hexadecimal" in shell.refusal("audit", "verify", "--expect", noted, code=2)


def test_two_notes_that_contradict_each_other_are_refused(shell: Shell) -> None:
    notes = ("--expect", f"3:{'0' * 64}", "--expect", f"3:{'1' * 64}")
    assert "two different hashes" in shell.refusal("audit", "verify", *notes, code=2)


def test_the_trail_is_exported_oldest_first_and_that_is_recorded(stage: Stage, shell: Shell) -> None:
    present = [event["seq"] for event in stage.events()]
    lines = shell("audit", "export").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in lines] == present
    assert stage.events("audit.exported")[-1]["actor_type"] == "operator"


def test_an_export_can_be_filtered(stage: Stage, shell: Shell) -> None:
    stage.as_(BOB)
    words = ("--format", "csv", "--action", "signin.succeeded", "--actor", "bob", "--after", "2020-01-01")
    rows = list(csv.DictReader(io.StringIO(shell("audit", "export", *words).stdout)))
    assert [(row["action"], row["actor_name"]) for row in rows] == [("signin.succeeded", "bob")]
    assert shell("audit", "export", "--before", "2020-01-01T00:00:00+02:00").stdout == ""


def test_a_file_with_the_trail_is_its_owners_alone(stage: Stage, shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "trail.ndjson"
    expected = len(stage.events())
    assert shell("audit", "export", "-o", str(file)).exit_code == 0
    assert len(file.read_text().splitlines()) == expected
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--after", "yesterday"), 2, "is not a time"),
        (("--action", "role.vanished"), 2, "role.vanished"),
        (("-o", "/dev/null/x"), 1, "cannot be written"),
    ],
)
def test_an_export_that_cannot_be_made_says_why(
    shell: Shell, words: tuple[str, ...], code: int, said: str
) -> None:
    assert said in shell.refusal("audit", "export", *words, code=code)
