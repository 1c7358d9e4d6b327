"""``python -m benchmarks [--engine sqlite|postgresql] [--rounds N] [--seconds S] [--quick] [--json]``"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.decisions import measure_decisions
from benchmarks.logins import measure_logins
from benchmarks.processes import serving
from benchmarks.protected import measure_protected
from benchmarks.report import markdown
from benchmarks.rotations import measure_rotations
from benchmarks.stage import build_stage
from tests.servers import start_postgres

ENGINES = ("sqlite", "postgresql")
SERVED = ("protected", "rotations", "logins")
PARTS = (*SERVED, "decisions")
TIME_LIMIT = 60.0  # seconds that an engine may take to load a company


def main() -> None:
    """Measure and print."""
    options = _options()
    results = [_measure(engine, options) for engine in options.engine if set(SERVED) & set(options.part)]
    if "decisions" in options.part:
        rows = measure_decisions(options.roles, options.seconds, TIME_LIMIT)
        results.append({"engine": "Decisions", "decisions": rows})
    if options.json:
        print(json.dumps(results, indent=2))
    else:
        print(
            f"{platform.python_implementation()} {platform.python_version()}, {options.rounds} "
            f"rounds of {options.seconds} s\n"
        )
        print("\n".join(markdown(found) for found in results))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=sys.modules["benchmarks"].__doc__
    )
    parser.add_argument("--engine", action="append", choices=ENGINES, help="measure this one only")
    parser.add_argument("--part", action="append", choices=PARTS, help="measure this part only")
    parser.add_argument(
        "--rounds",
        type=int,
        default=7,
        help="alternations (default 7); protected requests take turns of half a second, as many as fit",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=2.0,
        help="length of each (default 2; logins take three times as long)",
    )
    parser.add_argument("--quick", action="store_true", help="one short alternation, to see that it runs")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    options = parser.parse_args()
    options.engine = options.engine or list(ENGINES)
    options.part = options.part or list(PARTS)
    options.people, options.cost, options.roles = 200, 12, (100, 1_000, 10_000)
    if options.quick:
        options.rounds, options.seconds, options.people, options.cost = 1, 0.3, 24, 10
        options.roles = (20, 100)
    return options


def _measure(engine: str, options: argparse.Namespace) -> dict[str, Any]:
    rounds, seconds = options.rounds, options.seconds
    with database(engine) as (folder, url):
        stage = build_stage(folder, url, options.people, options.cost)
        with (
            serving("bare", stage.environment, folder) as bare,
            serving("ours", stage.environment, folder) as ours,
        ):
            found: dict[str, Any] = {"engine": {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[engine]}
            if "protected" in options.part:
                found["protected"] = measure_protected(bare, ours, stage, rounds, seconds)
            if "rotations" in options.part:
                found["rotations"] = measure_rotations(ours, stage, rounds, seconds)
            if "logins" in options.part:
                found["logins"] = measure_logins(ours, stage, rounds, seconds * 3)
    return found


@contextmanager
def database(engine: str) -> Iterator[tuple[Path, str]]:
    """Yield a temporary folder, and the URL of an empty database with durable commits."""
    with tempfile.TemporaryDirectory(prefix="rbac-bench-") as name:
        if engine == "sqlite":
            yield Path(name), f"sqlite:///{name}/rbac.db"
            return
        server = start_postgres(durable=True)
        try:
            yield Path(name), server.create_database()
        finally:
            server.stop()


if __name__ == "__main__":
    main()
