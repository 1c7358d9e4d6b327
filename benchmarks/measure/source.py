"""Reads figures from the source: lengths, documentation, types, import cycles."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Spread:
    """Median, 90th percentile and largest of some lengths."""

    median: int
    p90: int
    largest: int

    @classmethod
    def of(cls, lengths: Iterable[int]) -> Spread:
        found = sorted(lengths)
        return cls(found[len(found) // 2], found[len(found) * 9 // 10], found[-1])

    def __str__(self) -> str:
        return f"{self.median} / {self.p90} / {self.largest}"


@dataclass(frozen=True, slots=True)
class Share:
    """How many of all."""

    some: int
    all: int

    @property
    def percent(self) -> float:
        return 100 * self.some / self.all

    def __str__(self) -> str:
        return f"{self.percent:.1f} % ({self.some:,} of {self.all:,})"


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of one package and its tests."""

    lines: int
    files: Spread
    functions: Spread
    documented: Share
    typed: Share
    any_annotations: Share
    cycle: tuple[str, ...]
    test_functions: Spread


@cache
def measure_source(root: Path = ROOT) -> Figures:
    """Read every file of ``rbac_api`` and of ``tests`` below ``root``."""
    trees = {path: _tree(path) for path in sorted((root / "rbac_api").rglob("*.py"))}
    lengths = [len(path.read_text(encoding="utf-8").splitlines()) for path in trees]
    public = [function for tree in trees.values() for function in _public_functions(tree)]
    annotations = [one for tree in trees.values() for one in _annotations(tree)]
    tests = [
        function
        for path in sorted((root / "tests").rglob("test_*.py"))
        for function in _functions(_tree(path))
        if function.name.startswith("test_")
    ]
    return Figures(
        lines=sum(lengths),
        files=Spread.of(lengths),
        functions=Spread.of(length(one) for tree in trees.values() for one in _functions(tree)),
        documented=Share(sum(ast.get_docstring(one) is not None for one in public), len(public)),
        typed=Share(sum(_is_typed(one) for one in public), len(public)),
        any_annotations=Share(sum(holds_any(one) for one in annotations), len(annotations)),
        cycle=largest_cycle(_import_graph(root, trees)),
        test_functions=Spread.of(length(one) for one in tests),
    )


def length(function: Function) -> int:
    """Return the lines from ``def`` to the end, without the docstring."""
    lines = (function.end_lineno or 0) - function.lineno + 1
    if ast.get_docstring(function, clean=False) is not None:
        lines -= (function.body[0].end_lineno or 0) - function.body[0].lineno + 1
    return lines


def holds_any(annotation: ast.expr) -> bool:
    """Return True if ``Any`` occurs in the annotation, written as a string or not."""
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        annotation = ast.parse(annotation.value, mode="eval").body
    named = (getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(annotation))
    return "Any" in named


def largest_cycle(graph: dict[str, set[str]]) -> tuple[str, ...]:
    """Return the largest import cycle: modules that all import each other, directly or not; empty if none."""
    reached = {module: _reachable(graph, module) for module in graph}
    groups = [{other for other in reached[one] if one in reached[other]} for one in graph]
    largest: set[str] = max(groups, key=len, default=set())
    return tuple(sorted(largest))


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _functions(tree: ast.AST) -> Iterator[Function]:
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def _public_functions(tree: ast.Module | ast.ClassDef) -> Iterator[Function]:
    """Yield functions of the module and methods of its public classes, without nested functions."""
    for node in tree.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _public_functions(node)


def _arguments(function: Function) -> list[ast.arg]:
    given = function.args
    starred = [one for one in (given.vararg, given.kwarg) if one is not None]
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *starred]


def _is_typed(function: Function) -> bool:
    untyped = [one.arg for one in _arguments(function) if one.annotation is None]
    return function.returns is not None and set(untyped) <= {"self", "cls"}


def _annotations(tree: ast.Module) -> Iterator[ast.expr]:
    """Of arguments, results and variables."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            found = [*(one.annotation for one in _arguments(node)), node.returns]
            yield from (one for one in found if one is not None)
        elif isinstance(node, ast.AnnAssign):
            yield node.annotation


def _import_graph(root: Path, trees: dict[Path, ast.Module]) -> dict[str, set[str]]:
    """Return the imports of each module, at the top, in a function or only for types."""
    names = {_module(root, path): tree for path, tree in trees.items()}
    return {
        name: {found for origin in _imported(tree) for found in _known(origin, names)} - {name}
        for name, tree in names.items()
    }


def _module(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{one.name}" for one in node.names)


def _known(name: str, modules: Iterable[str]) -> Iterator[str]:
    """Return the module that an imported name is, or that contains it."""
    parent = name.rpartition(".")[0]
    yield from [found for found in (name, parent) if found in modules][:1]


def _reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    found: set[str] = set()
    waiting = [*graph[start]]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            waiting.extend(graph[module])
    return found
