"""The pictures of the README are small, and those of a terminal show what the tour's commands print."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from docs.terminal import terminal
from tests.docs.console import Step, steps

ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "docs" / "pictures"
LARGEST = 150_000  # bytes
SVG = "{http://www.w3.org/2000/svg}"


def drawing(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 -- our own picture


def lines(text: str) -> list[str]:
    """The lines that an SVG shows, from top to bottom."""
    return [line.text or "" for line in drawing(text).iter(f"{SVG}text")]


def words(text: str) -> str:
    return " ".join(text.split())


def test_every_picture_is_small_and_shown_in_the_readme() -> None:
    shown = re.findall(
        r"!\[([^\]]+)\]\((docs/pictures/[^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8")
    )

    assert {ROOT / name for _, name in shown} == set(PICTURES.iterdir())
    assert all(len(words) > 30 for words, _ in shown)
    assert [path.name for path in PICTURES.iterdir() if path.stat().st_size > LARGEST] == []


@pytest.mark.parametrize(
    ("picture", "command"),
    [
        ("plan.svg", "rbac-api policy plan --file docs/"),
        ("explanation.svg", "access?permission=expenses:approve"),
    ],
)
def test_a_terminal_shows_what_the_tour_says(picture: str, command: str) -> None:
    typed, *printed = lines((PICTURES / picture).read_text(encoding="utf-8"))
    [step] = [one for one in steps(ROOT / "docs" / "tour.md") if command in one.command]
    expected = step.expected.replace("exit code 2\n", "")

    assert Step("", words(expected)).fits(words("\n".join(printed)))
    assert command in typed


def test_the_picture_of_roles_shows_what_the_tour_says() -> None:
    shown = lines((PICTURES / "role-graph.svg").read_text(encoding="utf-8"))
    [step] = [one for one in steps(ROOT / "docs" / "tour.md") if "draw " in one.command]

    texts = re.findall(r'^  n\d+\W+"([^"]+)"', step.expected, re.MULTILINE)
    assert shown == [line for text in texts for line in text.split("<br/>")]


def test_a_long_line_goes_on_below_in_the_same_colour() -> None:
    drawn = drawing(terminal("A title", "command", "  + " + "word " * 40 + "<&>\n- gone"))
    found = [(line.text or "", line.get("fill")) for line in drawn.iter(f"{SVG}text")]

    assert drawn.find(f"{SVG}title") is not None
    assert len(found) == 5
    assert found[1][1] == found[2][1] == found[3][1] != found[4][1]
    assert words(" ".join(text for text, _ in found[1:4])) == words("+ " + "word " * 40 + "<&>")
