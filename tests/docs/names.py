"""What a newcomer finds who searches the package for one word: a file of that name, or else a definition."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def first_hit(word: str) -> str | None:
    """A package of this name, a file, a definition; or else a file with the word in its name, a definition with it.

    Of several, the one that is least deep, then the first by name.  What only declares (tables, schemas) comes last.
    """
    wanted = word.replace("_", "")
    files = _files()
    for found in (
        [
            path.parent
            for path in files
            if path.stem == "__init__" and wanted == path.parent.name.replace("_", "")
        ],
        [path for path in files if wanted == _name(path)],
        [path for path in files if wanted in _definitions(path)],
        [path for path in files if wanted in _name(path)],
        [path for path in files if any(wanted in name for name in _definitions(path))],
    ):
        if found:
            return min(found, key=_distance).relative_to(ROOT).as_posix()
    return None


def _distance(path: Path) -> tuple[bool, int, str]:
    return "tables" in path.parts or path.stem == "schemas", len(path.parts), str(path)


@cache
def _files() -> list[Path]:
    return sorted((ROOT / "rbac_api").rglob("*.py"))


def _name(path: Path) -> str:
    return path.stem.replace("_", "")


@cache
def _definitions(path: Path) -> frozenset[str]:
    return frozenset(_named(ast.parse(path.read_text(encoding="utf-8"))))


def _named(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name.replace("_", "").lower()
