"""The benchmark runs and prints every figure; how fast it found us is not a test's business."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import (
    auditing,
    domains,
    many_users,
    reads,
    role_changes,
    slow_readers,
    trail_growth,
    uses,
    writes,
)
from benchmarks import decisions as module
from benchmarks.decisions import ENGINES, PURE, company, measure_decisions
from benchmarks.report import markdown

pytestmark = pytest.mark.outside

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def results() -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "benchmarks", "--quick", "--engine", "sqlite", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@pytest.fixture
def found(results: list[dict[str, Any]]) -> dict[str, Any]:
    return results[0]


@pytest.fixture
def decisions(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = results[1]["decisions"]
    return rows


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


def test_a_decision_is_measured_in_every_engine_at_every_size(decisions: list[dict[str, Any]]) -> None:
    assert [(row["decider"], row["roles"]) for row in decisions] == [
        (name, roles) for roles in ("20", "100") for name in ENGINES
    ]
    figures = [
        row[name] for row in decisions for name in ("load_ms", "p50_us", "p99_us", "times_ours", "growth")
    ]
    assert all(figure > 0 for figure in figures)
    assert all(row["times_ours"] == 1 for row in decisions if row["decider"] == PURE)
    assert "| pycasbin | 100 |" in markdown({"engine": "Decisions", "decisions": decisions})


HONEST = {"answers": [True, False], "load_ms": 1.0, "p50_us": 1.0, "p99_us": 1.0}


def test_an_engine_that_takes_too_long_is_given_up() -> None:
    assert module._in_a_process("pycasbin", 20, 0.01, 0.0001) == {}


def test_what_was_given_up_is_not_tried_at_larger_sizes_and_the_table_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried: list[tuple[Any, ...]] = []
    monkeypatch.setattr(
        module,
        "_in_a_process",
        lambda *given: tried.append(given) or ({} if given[0] == "pycasbin" else HONEST),
    )

    rows = measure_decisions((20, 30), 0.01, 60)

    assert [size for name, size, *_ in tried if name == "pycasbin"] == [20]
    slow = [row for row in rows if row["decider"] == "pycasbin"]
    assert [row["p50_us"] for row in slow] == ["over 60 s"] * 2
    assert "| pycasbin | 30 | over 60 s |" in markdown({"engine": "Decisions", "decisions": rows})


def test_engines_that_decide_differently_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {**HONEST, "answers": [True, True]}
    monkeypatch.setattr(module, "_in_a_process", lambda name, *_: wrong if name == "pycasbin" else HONEST)

    with pytest.raises(RuntimeError, match="pycasbin decides differently at 20 roles"):
        measure_decisions((20,), 0.01, 1)


def test_half_of_what_is_asked_may_be_done() -> None:
    given = company(100)

    assert company(100) == given
    assert {len(set(held)) for held in given.held} == {3}
    assert all(junior == senior + 1 and junior % 8 for senior, junior in given.juniors)


def test_each_write_is_measured_beside_the_least_that_any_service_must_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    writes.main(["--engine", "sqlite", "--workers", "1", "--seconds", "0.3"])

    _head, _line, *rows = capsys.readouterr().out.splitlines()
    figures = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert [row[:3] for row in figures] == [[name, "1", "0 ms"] for name in writes.WRITES]
    taken = [float(figure) for row in figures for figure in (*row[3:5], row[6])]
    assert min(taken) >= 0  # a busy machine may answer too few in so short a time
    assert max(taken) > 0


def test_what_slow_readers_cost_is_measured_in_every_shape(capsys: pytest.CaptureFixture[str]) -> None:
    slow_readers.main(["--engine", "sqlite", "--readers", "3", "--seconds", "0.3"])

    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| 3: ")]
    assert len(rows) == len(slow_readers.SHAPES)
    figures = [[float(figure) for figure in row.strip("| ").split(" | ")[1:]] for row in rows]
    assert all(
        figure >= 0 for row in figures for figure in row
    )  # a busy machine may answer none in so short a time
    assert any(figure > 0 for row in figures for figure in row)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_what_a_changed_role_costs_is_measured(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    role_changes.main(["--engine", engine, "--roles", "64", "--rounds", "1"])

    lines = capsys.readouterr().out.splitlines()
    assert "64 roles, 1 rounds" in lines[0]
    figures = [float(line.split()[-1]) for line in lines[1:] if re.search(r"\d$", line)]
    assert len(figures) == 6 + 7
    assert all(figure >= 0 for figure in figures)  # so few roles may cost less than a figure can say


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_reads_of_many_users_are_measured(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--users", "2000", "--roles", "64", "--events", "300", "--rounds", "1"]
    many_users.main(["--engine", engine, *sizes])

    head, _, titles, _, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith(f"{engine}: 2000 users, 64 roles, 300 events")
    assert titles == "| read | ms | |"
    assert len(rows) == len(many_users.questions("anyone")) + 3
    assert all(float(row.split("|")[2]) > 0 for row in rows)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_what_domains_cost_is_measured(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--users", "2000", "--domains", "80", "--roles", "64", "--assignments", "500", "--rounds", "1"]
    domains.main(["--engine", engine, *sizes])

    lists, requests, decisions = capsys.readouterr().out.split("\n\n")[1:]
    for table, number in ((lists, len(domains.LISTS) + len(domains.FAR)), (requests, 2), (decisions, 4)):
        rows = [row.strip("| ").split(" | ") for row in table.strip().splitlines()[2:]]
        assert len(rows) == number
        assert all(
            float(figure.strip("| ")) > 0 for row in rows for figure in row[1:3] if figure.strip("| *slow")
        )


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_questions_of_an_auditor_are_measured(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--users", "2000", "--roles", "64", "--events", "3000", "--uses", "2000", "--rounds", "1"]
    auditing.main(["--engine", engine, *sizes])

    head, _, _, _, *rows = capsys.readouterr().out.splitlines()
    assert head == f"{engine}: 2000 users, 64 roles, 3000 events, 2000 uses"
    assert len(rows) == len(auditing.questions("anyone", 1)) + len(auditing.FAR_PAGES)
    assert all(float(row.split("|")[2]) > 0 for row in rows)


def test_a_slow_read_is_marked() -> None:
    slow, fast = many_users.table({"one": 100.1, "other": 100.0}).splitlines()[2:]

    assert (slow, fast) == ("| one | 100.1 | **slow** |", "| other | 100.0 |  |")


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_what_a_user_without_permissions_writes_is_measured(
    engine: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(trail_growth, "SETTLING", 0.1)

    trail_growth.measure(engine, 1.0)

    found = re.search(r"(\d+) requests in 1 s, (\{.*\}): (\d+) events, (\d+) bytes", capsys.readouterr().out)
    assert found
    assert all(int(found[place]) > 0 for place in (1, 3, 4))
    assert {401, 403} <= set(map(int, re.findall(r"(\d+): ", found[2])))
    assert not re.search(r"\b5\d\d: ", found[2])


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_what_counting_the_uses_of_permissions_costs_is_measured(
    engine: str, capsys: pytest.CaptureFixture[str]
) -> None:
    uses.main(["--engine", engine, "--turns", "1", "--rows", "50"])

    counted, guarded, written = capsys.readouterr().out.splitlines()
    assert float(counted.split()[2]) > 0
    assert float(guarded.split()[-1]) > 0
    assert written.startswith("50 counts in one statement")


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_what_reads_cost_is_measured_beside_bare_flask_and_another_version(
    capsys: pytest.CaptureFixture[str], engine: str
) -> None:
    reads.main(["--engine", engine, "--turns", "1", "--beside", str(ROOT)])
    rows = [line.split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]

    assert [(row[0], row[1]) for row in rows] == [
        (f"| {route}", version) for route in reads.PATHS for version in ("bare", "beside", "now")
    ]
    assert all(float(row[2]) > 0 and float(row[3]) > 0 for row in rows)
