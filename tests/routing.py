"""Compiles what builds the addresses of a route once, not again in each application that a test creates.

Three quarters of the time of `create_app` went there; a service, which creates one application, does not notice.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from werkzeug.routing import Rule

_compile = Rule._compile_builder
_compiled: dict[tuple[Any, ...], Callable[..., tuple[str, str]]] = {}


def compile_once() -> None:
    """Let every application of this process share what was compiled: it depends on the text of the rule alone."""
    Rule._compile_builder = _remembered  # type: ignore[assignment,method-assign]


def _remembered(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    if rule.defaults:
        return _compile(rule, append_unknown)
    key = (rule.rule, tuple(rule._trace), append_unknown)
    if key not in _compiled:
        _compiled[key] = _compile(rule, append_unknown)
    return _compiled[key]
