"""Draws the map of ARCHITECTURE.md from the import contract and the packages' docstrings."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure.source import ROOT

PACKAGE = "rbac_api"
ROLES = {  # what a box in the picture says below its name
    "factory": "puts everything together",
    "cli": "command line and server",
    "capabilities": "what the service does",
    "guard": "who asks, and may they?",
    "trail": "audit log and change feed",
    "database": "SQL",
    "web": "HTTP toolkit",
    "decision": "rules, pure functions",
}
OUTSIDE = """\
  request(["HTTP request"]) ==> capabilities
  operator(["operator's shell"]) ==> cli
  database ==> sql[("SQLite or PostgreSQL")]
"""


def layers(root: Path = ROOT) -> list[list[str]]:
    """Return the packages and modules of the service from top to bottom, as in the import contract."""
    contracts = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    [found] = [one["layers"] for one in contracts if one["type"] == "layers" and "containers" not in one]
    return [
        [name.strip("( )").removeprefix(f"{PACKAGE}.") for name in re.split("[|:]", layer)] for layer in found
    ]


def picture(root: Path = ROOT) -> str:
    """Return a mermaid diagram: a box per package, and the one direction of imports."""
    found = layers(root)
    boxes = "".join(f"  {_box(name)}\n" for layer in found for name in layer)
    arrows = " --> ".join(" & ".join(layer) for layer in found)
    return f"```mermaid\nflowchart TD\n{boxes}  {arrows}\n{OUTSIDE}```\n"


def packages(root: Path = ROOT) -> str:
    """Return a list of the packages and their inner packages, with the first sentence of each docstring."""
    folder = root / PACKAGE
    order = [name for layer in layers(root) for name in layer]
    inside = [path.parent for path in folder.glob("*/__init__.py")]
    known = sorted(
        inside, key=lambda path: (order.index(path.name) if path.name in order else len(order), path.name)
    )
    return "".join(line for path in known for line in _lines(path, folder))


def first_sentence(docstring: str) -> str:
    """Return the first sentence after a heading in capitals, on one line and with markdown's code marks."""
    text = " ".join(docstring.partition("\n\n")[0].split())
    text = re.sub(r"^[A-Z][A-Z ,-]+\.\s+", "", text)
    return re.sub(r"(?<=[.?])\s+[A-Z].*", "", text).rstrip(".").replace("``", "`")


def _box(name: str) -> str:
    role = ROLES.get(name)
    return f'{name}["<b>{name}</b><br/>{role}"]' if role else name


def _lines(package: Path, folder: Path) -> Iterator[str]:
    depth = len(package.relative_to(folder).parts) - 1
    link = f"{PACKAGE}/{package.relative_to(folder).as_posix()}/__init__.py"
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8")))
    yield f"{'  ' * depth}- [`{package.name}`]({link}): {first_sentence(docstring or '')}\n"
    for inner in sorted(package.glob("*/__init__.py")):
        yield from _lines(inner.parent, folder)
