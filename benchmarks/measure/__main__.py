"""Prints the figures, or writes them and the map into ARCHITECTURE.md.

Usage: ``python -m benchmarks.measure [--write | --map]``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.measure.journeys import measure_journeys
from benchmarks.measure.map import packages, picture
from benchmarks.measure.page import DOCUMENT, with_part
from benchmarks.measure.source import measure_source
from benchmarks.measure.table import table


def main() -> None:
    """Measure and print, and write if requested."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.measure", description=sys.modules["benchmarks.measure"].__doc__
    )
    parser.add_argument("--write", action="store_true", help="put map and table into ARCHITECTURE.md")
    parser.add_argument("--map", action="store_true", help="put only the map there, and measure nothing")
    options = parser.parse_args()
    parts = {"picture": picture(), "packages": packages()}
    if not options.map:
        with tempfile.TemporaryDirectory(prefix="rbac-measure-") as folder:
            journeys = measure_journeys(f"sqlite:///{folder}/rbac.db", Path(folder))
        parts["figures"] = table(measure_source(), journeys)
        print(parts["figures"])
    if options.map or options.write:
        document = DOCUMENT.read_text(encoding="utf-8")
        for name, content in parts.items():
            document = with_part(document, name, content)
        DOCUMENT.write_text(document, encoding="utf-8")


if __name__ == "__main__":
    main()
