"""The table of faults names every fault once at least, and tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KINDS = {1: 7, 2: 6, 3: 2, 4: 14, 5: 8, 6: 9, 7: 5, 8: 10}  # how many faults were found of each kind
TABLE = (ROOT / "tests" / "FAULTS.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| (F\d+\.\d+)[^|]*\| ([^|]+) \| ([^|]*) \| ([^|]*) \|$", TABLE, re.MULTILINE)
GUESSED = re.compile(r"not run|by reasoning|by construction|would fail", re.IGNORECASE)


def test_every_fault_has_its_row() -> None:
    expected = {f"F{kind}.{number}" for kind, count in KINDS.items() for number in range(1, count + 1)}

    assert {row[0] for row in ROWS} == expected
    assert len(ROWS) == len(re.findall(r"^\| F", TABLE, re.MULTILINE))


def test_each_row_says_what_the_fault_was() -> None:
    said = dict(re.findall(r"^\| (F\d+\.\d+(?: \([a-z -]+\))?) ([^|]+) \|", TABLE, re.MULTILINE))

    assert len(said) == len(ROWS)
    assert [row for row, fault in said.items() if len(fault) < 10] == []


def test_every_test_that_is_named_is_there() -> None:
    missing = []
    for fault, tests, _, _ in ROWS:
        named = re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", tests)
        assert named, f"{fault} has no test"
        for file, name in named:
            source = (ROOT / file).read_text(encoding="utf-8") if (ROOT / file).exists() else ""
            if not source or (name and f"def {name}(" not in source):
                missing.append(f"{fault}: {file}::{name}")

    assert missing == []


def test_each_row_says_what_the_first_version_did_and_what_else_was_found() -> None:
    silent = [fault for fault, _, seen, rest in ROWS if not seen.strip() or not rest.strip()]
    guessed = [row[0] for row in ROWS if GUESSED.search(" ".join(row))]

    assert (silent, guessed) == ([], [])
