"""The benchmark runs and prints every figure; how fast it found us is not a test's business."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report import markdown

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--engine", "sqlite", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results[0]


def test_every_figure_is_measured(found: dict[str, Any]) -> None:
    rows = [*found["protected"], found["rotations"], found["logins"]]

    figures = [figure for row in rows for figure in row.values() if not isinstance(figure, str)]

    assert len(figures) == 5 * 6 + 5 + 9
    assert all(figure > 0 for figure in figures)


def test_the_figures_come_as_tables(found: dict[str, Any]) -> None:
    text = markdown(found)

    assert text.startswith("### SQLite\n")
    for heading in (
        "| bare Flask route |",
        "| protected route |",
        "durable commits/s",
        "raw bcrypt/s",
        "protected p99 ms, storm",
    ):
        assert heading in text
