"""The index of design decisions names every decision once, in order, with its title and its status."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "decisions"
PARTS = ["Context", "Decision", "Consequence", "Alternatives", "Enforced by"]


def found() -> list[tuple[str, str, str, str]]:
    """Number, file, title and status of each decision, as its own file says."""
    rows = []
    for path in sorted(FOLDER.glob("[0-9]*.md")):
        text = path.read_text(encoding="utf-8")
        title = re.match(r"# (\d+) · (.+)\n\nStatus: (.+)\n", text)
        assert title, f"{path.name} does not begin with a numbered title and a status"
        rows.append((title[1], path.name, title[2], title[3]))
    return rows


def test_the_index_names_every_decision() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")

    assert re.findall(r"^\| \[(\d+)\]\(([^)]+)\) \| (.+) \| (.+) \|$", index, re.MULTILINE) == found()


def test_the_numbers_have_no_gap() -> None:
    assert [int(number) for number, *_ in found()] == list(range(1, len(found()) + 1))


def test_a_file_carries_the_number_of_its_title() -> None:
    assert [file[:4] for _, file, *_ in found()] == [number.zfill(4) for number, *_ in found()]


def test_every_decision_has_the_same_parts_in_the_same_order() -> None:
    parts = {
        path.name: re.findall(
            r"^\*\*([A-Z][a-z ]+)\.\*\*\s+\S", path.read_text(encoding="utf-8"), re.MULTILINE
        )
        for path in FOLDER.glob("[0-9]*.md")
    }

    assert {name: found for name, found in parts.items() if found != PARTS} == {}


def numbers(status: str, after: str) -> list[str]:
    """The decisions that a status links behind these words."""
    return re.findall(r"\[(\d+)\]", status.partition(after)[2])


def test_a_decision_that_is_replaced_and_its_successor_name_each_other() -> None:
    statuses = {number: status for number, _, _, status in found()}
    replaced = {n: numbers(status, "superseded by ") for n, status in statuses.items()}
    replacing = {n: numbers(status, "supersedes ") for n, status in statuses.items()}

    assert {(old, new) for old, by in replaced.items() for new in by} == {
        (old, new) for new, of in replacing.items() for old in of
    }
    assert all(re.match(r"(accepted|superseded by)\b", status) for status in statuses.values())
