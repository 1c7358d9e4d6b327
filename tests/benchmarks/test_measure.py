"""``make measure`` runs, its table stands in ARCHITECTURE.md, and the structure stays within its bounds.

The figures of a day are in ARCHITECTURE.md; here are the bounds, which are lowered when the code gets better.
"""

from __future__ import annotations

import ast
import re
import runpy
import sys
from pathlib import Path

import pytest

from benchmarks.measure.journeys import measure_journeys
from benchmarks.measure.map import ROLES, first_sentence, layers, packages, picture
from benchmarks.measure.page import DOCUMENT, part_of, with_part
from benchmarks.measure.source import Figures, holds_any, largest_cycle, measure_source
from benchmarks.measure.table import table

ROOT = Path(__file__).resolve().parents[2]
JOURNEYS = {  # at most so many files and SQL statements on SQLite
    "guarded route, nothing changed": (14, 0),
    "`PUT /v1/users/{id}/roles/{role}`": (28, 8),  # one statement writes the personal values of all events
    "refresh": (25, 8),
}
# So many more: SQLite's lock is in BEGIN, PostgreSQL's is a statement, and so are NOTIFY and linking what waits in the outbox.
POSTGRESQL = (3, 3)


@pytest.fixture(scope="module")
def figures() -> Figures:
    return measure_source()


def test_the_source_stays_within_its_bounds(figures: Figures) -> None:
    assert figures.files.median <= 85
    assert figures.files.largest <= 300
    assert (figures.functions.median, figures.functions.p90) <= (5, 13)
    assert figures.functions.largest <= 33
    assert figures.documented.percent >= 90
    assert figures.typed.percent == 100
    assert figures.any_annotations.percent <= 3
    assert figures.cycle == ()
    assert figures.test_functions.median <= 9
    assert figures.test_functions.largest <= 40


def test_requests_stay_within_their_bounds(empty_url: str, tmp_path: Path, engine: str) -> None:
    more = POSTGRESQL if engine == "postgresql" else (0, 0)
    found = {one.name: (one.files, len(one.statements)) for one in measure_journeys(empty_url, tmp_path)}

    assert set(found) == set(JOURNEYS)
    above = {
        name: (files, statements)
        for name, (files, statements) in found.items()
        if files > JOURNEYS[name][0] + more[0] or statements > JOURNEYS[name][1] + more[1]
    }
    assert not above, "files and statements found"


def test_the_command_prints_the_rows_that_the_architecture_page_shows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks.measure"])
    runpy.run_module("benchmarks.measure", run_name="__main__")

    shown = part_of(DOCUMENT.read_text(encoding="utf-8"), "figures")
    printed = capsys.readouterr().out
    assert rows(shown) == rows(printed)
    assert len(rows(shown)) == 2 * 2 + 8 + len(JOURNEYS)


def rows(text: str) -> list[str]:
    """The names of the rows and the figures of the first version; not the figures of today."""
    return [line.rsplit("|", 2)[0] for line in text.splitlines() if line.startswith("|")]


def test_a_cycle_is_found_however_long_the_way_around() -> None:
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": {"e"}, "e": {"d"}, "f": {"a"}}

    assert largest_cycle(graph) == ("a", "b", "c")
    assert largest_cycle({"a": {"b"}, "b": set()}) == ()


@pytest.mark.parametrize(
    ("annotation", "holds"),
    [
        ("Any", True),
        ("dict[str, Any]", True),
        ("'Row[Any] | None'", True),
        ("typing.Any", True),
        ("Anything", False),
        ("str", False),
    ],
)
def test_any_is_found_wherever_it_stands_in_an_annotation(annotation: str, *, holds: bool) -> None:
    assert holds_any(ast.parse(annotation, mode="eval").body) is holds


def test_a_part_is_written_where_the_old_one_stood(figures: Figures) -> None:
    page = DOCUMENT.read_text(encoding="utf-8")

    written = with_part(page, "figures", table(figures, []))

    assert part_of(written, "figures") == table(figures, [])
    assert with_part(written, "figures", part_of(page, "figures")) == page
    with pytest.raises(ValueError, match="it has it 0 times"):
        with_part("no place", "figures", "")


@pytest.mark.parametrize(("name", "content"), [("picture", picture()), ("packages", packages())])
def test_the_map_is_what_the_code_says(name: str, content: str) -> None:
    assert part_of(DOCUMENT.read_text(encoding="utf-8"), name) == content, "run make measure"


def test_the_picture_has_every_package_and_only_what_there_is() -> None:
    boxes = {name for layer in layers() for name in layer}
    there = {
        path.stem
        for path in (ROOT / "rbac_api").iterdir()
        if path.suffix == ".py" or (path / "__init__.py").exists()
    }

    assert boxes <= there
    assert there - boxes <= {"__init__", "__main__", "verifier"}
    assert set(ROLES) <= boxes


def test_every_place_that_the_page_names_is_there() -> None:
    page = DOCUMENT.read_text(encoding="utf-8")
    named = re.findall(r"`((?:rbac_api|migrations|seed_data|openapi|tests|benchmarks|docs)/[^`*]*)`", page)

    assert len(named) > 10
    assert [place for place in named if not (ROOT / place).exists()] == []


@pytest.mark.parametrize(
    ("docstring", "sentence"),
    [
        ("THE THING.  Owns ``a.b``: it\nis. More. ", "Owns `a.b`: it is"),
        ("Does one thing (RFC 9457).\n\nMore.", "Does one thing (RFC 9457)"),
        ("May it?  Yes.", "May it?"),
    ],
)
def test_the_first_sentence_of_a_docstring_goes_into_the_list(docstring: str, sentence: str) -> None:
    assert first_sentence(docstring) == sentence
