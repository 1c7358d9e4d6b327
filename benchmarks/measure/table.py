"""Makes the tables of figures for ARCHITECTURE.md."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure.journeys import Journey
from benchmarks.measure.source import Figures

Row = tuple[str, str, str]
# The same program, run on the first version (commit 5c0af98).
FIRST = {
    "lines of `rbac_api`": "27,325",
    "lines of a file, median / p90 / largest": "78 / 213 / 300",
    "lines of a function, median / p90 / largest": "5 / 13 / 33",
    "public functions with a docstring": "90.3 % (908 of 1,005)",
    "public functions with types": "100.0 % (1,005 of 1,005)",
    "annotations that hold `Any`": "16.9 % (918 of 5,440)",
    "modules in the largest import cycle": "0",
    "lines of a test function, median / p90 / largest": "9 / 16 / 31",
    "guarded route, nothing changed": "16 · 45 · 29 · 0",
    "`PUT /v1/users/{id}/roles/{role}`": "41 · 129 · 154 · 15",
    "refresh": "39 · 127 · 132 · 14",
}


def table(figures: Figures, journeys: list[Journey]) -> str:
    """Return two markdown tables: figures of the source, and of the requests."""
    source = _markdown("source", _source_rows(figures))
    traced = _markdown(
        "one request: files · functions · changes of file · SQL statements", _journey_rows(journeys)
    )
    return f"{source}\n{traced}"


def _source_rows(found: Figures) -> Iterator[Row]:
    values = (
        f"{found.lines:,}",
        found.files,
        found.functions,
        found.documented,
        found.typed,
        found.any_annotations,
        len(found.cycle),
        found.test_functions,
    )
    for (name, first), value in zip(FIRST.items(), values, strict=False):
        yield name, first, str(value)


def _journey_rows(journeys: list[Journey]) -> Iterator[Row]:
    for one in journeys:
        figures = one.files, one.functions, one.changes_of_file, len(one.statements)
        yield one.name, FIRST[one.name], " · ".join(str(figure) for figure in figures)


def _markdown(subject: str, rows: Iterator[Row]) -> str:
    lines = [(subject, "first version", "now"), ("---", "---", "---"), *rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in lines)
