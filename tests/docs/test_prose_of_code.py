"""Docstrings, comments and texts of the code are written in plain words, on lines that fit a terminal."""

from __future__ import annotations

import ast
import doctest
import importlib
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.test_prose import ROOT, UNUSUAL, WIDEST

# One pattern a line.
DONE = (
    "app.py",
    "benchmarks/**/*.py",
    "rbac_api/capabilities/**/*.py",
    "rbac_api/cli/*.py",
    "rbac_api/clock.py",
    "rbac_api/database/*.py",
    "rbac_api/database/queries/*.py",
    "rbac_api/database/tables/[!_]*.py",  # each is named after its table
    "rbac_api/decision/**/*.py",
    "rbac_api/environment.py",
    "rbac_api/errors.py",
    "rbac_api/factory.py",
    "rbac_api/formats/*.py",
    "rbac_api/guard/**/*.py",
    "rbac_api/observability/*.py",
    "rbac_api/resources.py",
    "rbac_api/sealing.py",
    "rbac_api/trail/**/*.py",
    "rbac_api/value_checks.py",
    "rbac_api/web/**/*.py",
    "rbac_verifier/*.py",
)
MODULES = sorted({file for pattern in DONE for file in ROOT.glob(pattern)})
PACKAGES = [file.parent for file in MODULES if file.name == "__init__.py"]
WITH_EXAMPLES = [file for file in (ROOT / "rbac_api").rglob("*.py") if ">>> " in file.read_text("utf-8")]
# What ``rbac_api.capabilities`` says of each of its packages need not be said in each of them.
IN_EVERY_CAPABILITY = {"routes", "schemas", "service", "queries", "errors"}
# What else a reader of a second language stumbles over, beside the words that no document may use.
IN_CODE = {
    r"\bshe\b|\bher\b": "the user, the caller",
    r"\b(?<!fore)told\b": "returns, receives",
    r"\bwhence\b": "from where",
}
DIRECTIVE = re.compile(r"\s+# (noqa|type: ignore|fmt:).*$")
UNBREAKABLE = re.compile(r"https?://")


def words_of(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each comment, docstring and sentence; a text without a space is a name, not a sentence."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, node.value


def unusual(source: str) -> list[str]:
    return [
        f"{line}: {found[0]} -> {plain}"
        for line, text in words_of(source)
        for word, plain in (UNUSUAL | IN_CODE).items()
        for found in re.finditer(word, re.sub(r"`+[^`]*`+", "", text), re.IGNORECASE)
    ]


def too_long(source: str) -> list[str]:
    lines = enumerate((DIRECTIVE.sub("", line) for line in source.splitlines()), 1)
    return [f"{n}: {line}" for n, line in lines if len(line) > WIDEST and not UNBREAKABLE.search(line)]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_the_words_of_the_code_are_plain(module: Path) -> None:
    assert unusual(module.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("module", MODULES, ids=named)
def test_every_line_of_code_and_prose_fits(module: Path) -> None:
    assert too_long(module.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("pattern", DONE)
def test_every_pattern_of_the_list_finds_a_file(pattern: str) -> None:
    assert list(ROOT.glob(pattern))


@pytest.mark.parametrize("package", PACKAGES, ids=named)
def test_a_package_names_its_modules(package: Path) -> None:
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""
    known = {"__init__", "__main__"} | (
        IN_EVERY_CAPABILITY if package.parent.name == "capabilities" else set()
    )
    modules = {file.stem for file in package.glob("*.py")}
    modules |= {file.parent.name for file in package.glob("*/__init__.py")}
    assert [name for name in sorted(modules - known) if not re.search(rf"\b{name}\b", docstring)] == []


@pytest.mark.parametrize("module", WITH_EXAMPLES, ids=named)
def test_an_example_in_a_docstring_is_true(module: Path) -> None:
    name = ".".join(module.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize(
    "said", ['"""Nobody asks."""', "x = 1  # told once", 'f("her own name")', "# whoever asks"]
)
def test_an_unusual_word_would_be_found(said: str) -> None:
    assert unusual(said)


def test_names_and_code_are_not_prose() -> None:
    assert unusual('NOBODY = "nobody"\n# see ``NOBODY``') == []


def test_a_long_line_would_be_found_and_a_directive_does_not_count() -> None:
    assert too_long(f"# {'word ' * 30}")
    assert too_long(f"x = 1  # noqa: {'E501, ' * 30}") == []
