"""No test depends on the moment at which it runs, or on how busy the machine is."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from limits import parse_many

TESTS = Path(__file__).parents[1]
LIMITS = {"signin_limit", "token_limit", "account_limit"}
STANDING = {"frozen", "time_machine"}  # fixtures with which time stands still
MANY = 100  # attempts that no test makes, or a window as long that no run of tests sees its end
AWAITED = {
    "wait",
    "result",
    "communicate",
    "get",
    "post",
    "put",
    "delete",
    "request",
    "HTTPConnection",
    "Source",
}
PATIENT = 30.0  # seconds: what comes at all comes before, however busy the machine is
YEAR = 12 * 30 * 24 * 3600  # as the library counts it
Found = list[str]


def functions(text: str) -> Iterator[tuple[str, set[str], ast.AST]]:
    """The functions of a module: name, parameters, tree."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            yield node.name, {one.arg for one in (*node.args.args, *node.args.kwonlyargs)}, node


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def small_limits(text: str) -> Found:
    """Functions that set a limit of few attempts in a window that may end amid them, while time goes on.

    The windows begin at a full minute or hour, so more attempts succeed around it."""
    found = []
    for name, parameters, tree in functions(text):
        given = {
            str(one.value.value)
            for call in calls(tree)
            for one in call.keywords
            if one.arg in LIMITS and isinstance(one.value, ast.Constant)
        }
        ends = any(
            limit.amount < MANY and limit.get_expiry() < YEAR for one in given for limit in parse_many(one)
        )
        if ends and not parameters & STANDING:
            found.append(name)
    return found


def short_waits(text: str) -> Found:
    """Calls that give up what they wait for after a few seconds."""
    return [
        ast.unparse(call)
        for call in calls(ast.parse(text))
        if _name(call) in AWAITED and any(0.5 < one < PATIENT for one in _seconds(call))
    ]


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _seconds(call: ast.Call) -> Iterator[float]:
    given = [one.value for one in call.keywords if one.arg == "timeout"]
    given += call.args[:1] if _name(call) in ("wait", "result") else []
    for one in given:
        if isinstance(one, ast.Constant) and isinstance(one.value, int | float):
            yield one.value


def vague_views(text: str) -> Found:
    """Questions for who waits for a lock that any thread of the service may answer with yes."""
    told = ("query", "pid", "application_name", "transactionid")
    texts = [str(node.value) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)]
    return [one for one in texts if "FROM pg_stat_activity" in one and not any(word in one for word in told)]


KINDS: dict[str, tuple[Any, tuple[str, ...], str, str]] = {  # with words that a text has which can be one
    "small limits": (
        small_limits,
        tuple(LIMITS),
        'def f(node): node(signin_limit="3 per hour")',
        'def f(node, frozen): node(signin_limit="3 per hour", token_limit="9000 per minute")',
    ),
    "short waits": (
        short_waits,
        ("wait(", "result(", "timeout="),
        "ready.wait(5)",
        "ready.wait(PATIENCE), closing.wait(0.02), get(path, timeout=60)",
    ),
    "vague views": (
        vague_views,
        ("pg_stat_activity",),
        "A = \"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'\"",
        "A = \"SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE users%'\"",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_no_test_depends_on_luck(kind: str) -> None:
    look, words, _, _ = KINDS[kind]
    found = {
        str(path.relative_to(TESTS)): look(text)
        for path in sorted(TESTS.rglob("*.py"))
        if path != Path(__file__)
        for text in [path.read_text(encoding="utf-8")]
        if any(word in text for word in words)
    }

    assert {path: those for path, those in found.items() if those} == {}


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_does_is_found(kind: str) -> None:
    look, _, lucky, sound = KINDS[kind]

    assert len(look(lucky)) == 1
    assert look(sound) == []
