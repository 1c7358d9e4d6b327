"""The changelog has the same headings for each version, and says each fact once: merges keep the lines of both sides."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEADINGS = ["Added", "Changed", "Security", "Upgrade notes"]
VERSION = re.compile(r"^## .+\n", re.MULTILINE)


def versions(text: str) -> list[str]:
    return VERSION.split(text)[1:]


def facts(text: str) -> list[str]:
    """The items of all lists, each on one line."""
    return [" ".join(item.split()) for item in re.findall(r"^- (.+(?:\n  .+)*)", text, re.MULTILINE)]


def repeated(text: str) -> list[str]:
    return [fact for fact, times in Counter(facts(text)).items() if times > 1]


def test_each_version_has_the_headings_in_order() -> None:
    found = versions((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))

    assert found
    for version in found:
        present = re.findall(r"^### (.+)$", version, re.MULTILINE)
        assert present == [heading for heading in HEADINGS if heading in present]


def test_each_fact_stands_once() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    assert len(facts(text)) > 100
    assert repeated(text) == []


def test_a_repetition_would_be_found() -> None:
    assert repeated("- One fact\n  on two lines.\n- Another.\n- One fact on two\n  lines.\n")
