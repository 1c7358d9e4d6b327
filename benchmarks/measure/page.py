"""Reads and writes the generated parts of ARCHITECTURE.md, each between two comments."""

from __future__ import annotations

from benchmarks.measure.source import ROOT

DOCUMENT = ROOT / "ARCHITECTURE.md"


def part_of(document: str, name: str) -> str:
    """Return the document's content of this part."""
    _, rest = _split(document, _start(name))
    return _split(rest, _end(name))[0]


def with_part(document: str, name: str, content: str) -> str:
    """Return the document with other content in this part."""
    before, rest = _split(document, _start(name))
    _, after = _split(rest, _end(name))
    return f"{before}{_start(name)}{content}{_end(name)}{after}"


def _start(name: str) -> str:
    return f"<!-- {name}: written by make measure -->\n\n"


def _end(name: str) -> str:
    return f"\n<!-- end of {name} -->"


def _split(text: str, mark: str) -> tuple[str, str]:
    if text.count(mark) != 1:
        raise ValueError(f"{DOCUMENT.name} needs {mark.strip()} once, it has it {text.count(mark)} times")
    before, _, after = text.partition(mark)
    return before, after
