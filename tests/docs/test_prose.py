"""The documents are written in plain words, on lines that fit a terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATTERNS = ("*.md", "docs/*.md", "docs/decisions/*.md", "deploy/*.md", "examples/*/README.md", "tests/*.md")
DOCUMENTS = sorted(path for pattern in PATTERNS for path in ROOT.glob(pattern))
WIDEST = 110
WITHOUT_LINES = re.compile(r"^```.*?^```$|^<!-- \w+: written by .*?^<!-- end of", re.DOTALL | re.MULTILINE)
UNBREAKABLE = re.compile(r"\s*(\||!\[|#|<| {4}|Status: )")
# Words of literature; what a reader of a second language finds instead stands behind them.
UNUSUAL = {
    r"\bwho(?:m|so)?ever\b": "the caller, the user",
    r"\b(?:no|some)body(?:'s)?\b": "no user, a user, another user",
    r"\bher(?:s|self)\b|\bhimself\b": "the user's own",
    r"\bsuch a one\b|\bof whom\b|\banew\b|\bbefalls?\b|\bamid\b": "say it plainly",
    r"\bstands? for\b": "is, covers, means",
    r"\bmend(?:ed|s|ing)?\b": "correct, fix",
    r", (?:so|nor) (?:is|are|do|does|did|has|have)\b": "also, neither … nor",
}


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Number and text of each line that a person wrote and that could be broken."""
    hidden = WITHOUT_LINES.sub(lambda found: "\n" * found[0].count("\n"), text)
    return ((n, line) for n, line in enumerate(hidden.splitlines(), 1) if not UNBREAKABLE.match(line))


def too_long(text: str) -> list[str]:
    return [f"{n}: {line}" for n, line in prose(text) if len(line) > WIDEST and " " in line.strip("-* ")]


def unusual(text: str) -> list[str]:
    text = re.sub(r"`[^`]*`|\]\([^)]*\)", "", WITHOUT_LINES.sub("", text))
    return [
        f"{found[0]}: {plain}"
        for word, plain in UNUSUAL.items()
        for found in re.finditer(word, text, re.IGNORECASE)
    ]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_line_of_prose_fits(document: Path) -> None:
    assert too_long(document.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_words_are_plain(document: Path) -> None:
    assert unusual(document.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("said", ["Whoever asks", "nobody's name", "The key anew", "old ones, so is it"])
def test_an_unusual_word_would_be_found(said: str) -> None:
    assert unusual(said)


def test_a_long_line_would_be_found_and_a_table_may_be_long() -> None:
    assert too_long("word " * 30)
    assert too_long("| word " * 30) == []
    assert too_long(f"```sh\n{'word ' * 30}\n```") == []
