"""What has a larger size runs in `make soak`, and nothing else does."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]
MODULES = [path for path in sorted(TESTS.rglob("*.py")) if path != Path(__file__)]


def sized(tree: ast.AST) -> bool:
    """Whether the module has sizes to choose from."""
    return any(isinstance(one, ast.ImportFrom) and one.module == "tests.sizes" for one in ast.walk(tree))


def marked(tree: ast.AST) -> bool:
    """Whether the module or one of its tests carries ``pytest.mark.soak``."""
    return any(isinstance(one, ast.Attribute) and one.attr == "soak" for one in ast.walk(tree))


def test_a_module_with_two_sizes_is_part_of_the_soak_and_no_other_is() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in MODULES}
    # Only a text with one of these words can be either: the others need not be parsed.
    trees = {path: ast.parse(text) for path, text in texts.items() if "soak" in text or "sizes" in text}

    assert [path for path, tree in trees.items() if sized(tree) != marked(tree)] == []
    assert sum(map(sized, trees.values())) > 10
