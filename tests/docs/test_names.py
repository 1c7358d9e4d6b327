"""The commonest places of the code are found by the word of the field, at the first hit (CONTRIBUTING.md, "Where is it?")."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.names import first_hit

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Where is it?")[2]
ROWS = re.findall(r"^\| ([^|`]+) \| `(\w+)` \| `([\w/.]+)` \|$", PAGE, re.MULTILINE)


def found_at_once(word: str, place: str) -> bool:
    hit = first_hit(word)
    return hit is not None and (hit == place or hit.startswith(f"{place}/"))


def test_there_are_thirty_places_and_all_exist() -> None:
    assert len(ROWS) >= 30
    assert len({word for _, word, _ in ROWS}) == len(ROWS)
    assert [place for _, _, place in ROWS if not (ROOT / place).exists()] == []


def test_each_place_is_found_at_the_first_hit() -> None:
    elsewhere = {word: first_hit(word) for _, word, place in ROWS if not found_at_once(word, place)}

    assert elsewhere == {}


@pytest.mark.parametrize(
    ("word", "hit"),
    [
        ("keys", "rbac_api/capabilities/keys"),
        ("settings", "rbac_api/settings.py"),
        ("create_app", "rbac_api/factory.py"),
        ("nothing_is_called_so", None),
    ],
)
def test_a_package_comes_before_a_file_before_a_definition(word: str, hit: str | None) -> None:
    assert first_hit(word) == hit


def test_the_glossary_is_short_and_each_word_has_a_place() -> None:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| ([a-z ]+) \| ([^|]{20,}) \| `([\w/.]+)` \|$", text, re.MULTILINE)

    assert len(text.splitlines()) <= 30
    assert len(rows) == text.count("\n| ") - 1  # the head of the table
    assert [word for word, *_ in rows] == sorted(word for word, *_ in rows)
    assert [place for *_, place in rows if not (ROOT / place).exists()] == []
