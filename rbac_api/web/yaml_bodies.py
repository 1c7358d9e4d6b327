"""YAML read strictly: what JSON could say as well, of YAML 1.2's core schema, and nothing that grows, repeats or runs.

No anchors and aliases (a few lines of them unfold into gigabytes), no tags, no duplicate keys, no second document; a moment stays text.
The reader goes through libyaml's events once, without recursion, so its time is linear and its depth is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from math import inf, isfinite
from typing import Any

import yaml

from rbac_api.web.arguments import DEEPEST, check_depth_and_text
from rbac_api.web.problems import Unreadable

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it is there: ten times as fast
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_WHOLE = re.compile(r"[-+]?[0-9]{1,19}", re.ASCII)
_FRACTION = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?", re.ASCII)
_PENDING = object()


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes no anchors, and quotes every text that the reader above would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: Any, text: str) -> Any:
    plain = isinstance(_resolved(text), str)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _represent_text)


def yaml_text(value: Any) -> str:
    """What ``parse_yaml`` reads as this value again; one and the same text for one value."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096)
    return text


class YamlRefused(ValueError):
    """Why a text is not read, in words."""


def strict_yaml(data: bytes) -> Any:
    """Parse a body of YAML in UTF-8; 400 with the reason otherwise."""
    try:
        value = parse_yaml(data.decode("utf-8"))
    except UnicodeDecodeError as fault:
        raise Unreadable("The body is not UTF-8.") from fault
    except YamlRefused as fault:
        raise Unreadable(f"The body is not YAML as it is read here: {fault}.") from fault
    check_depth_and_text(value)
    return value


def parse_yaml(text: str) -> Any:
    """One YAML document as dicts, lists, texts, numbers, booleans and None; ``YamlRefused`` otherwise."""
    try:
        return _built(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise YamlRefused(f"{getattr(fault, 'problem', None) or 'it cannot be parsed'}{place}") from fault


def _built(events: Iterable[Any]) -> Any:
    builder = _Builder()
    for event in events:
        builder.take(event)
    return builder.value


class _Builder:
    """What the events have made so far; ``_open`` are the collections that have not ended, each with the key that waits for a value."""

    def __init__(self) -> None:
        self.value: Any = None
        self._open: list[tuple[Any, list[Any]]] = []
        self._documents = 0

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            _require(self._documents == 1, event, "there is more than one document")
        elif isinstance(event, yaml.AliasEvent):
            _require(False, event, "aliases are not allowed")
        elif isinstance(event, yaml.NodeEvent):
            _require(event.anchor is None, event, "anchors are not allowed")
            _require(event.tag is None, event, "tags are not allowed")  # type: ignore[attr-defined]
            self._add(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()

    def _add(self, event: Any) -> None:
        value: Any = _scalar(event) if isinstance(event, yaml.ScalarEvent) else None
        if not isinstance(event, yaml.ScalarEvent):
            value = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._place(value, event)
        if not isinstance(event, yaml.ScalarEvent):
            _require(len(self._open) < DEEPEST, event, f"it is nested deeper than {DEEPEST} levels")
            self._open.append((value, [_PENDING]))

    def _place(self, value: Any, event: Any) -> None:
        if not self._open:
            self.value = value
            return
        into, waiting = self._open[-1]
        if isinstance(into, list):
            into.append(value)
        elif waiting[0] is _PENDING:
            _require(isinstance(value, str), event, "a key is not text")
            _require(value not in into, event, "a key comes twice")
            waiting[0] = value
        else:
            into[waiting[0]], waiting[0] = value, _PENDING


def _scalar(event: Any) -> Any:
    text = str(event.value)
    return text if not event.implicit[0] or event.style in ("'", '"', "|", ">") else _resolved(text)


def _resolved(text: str) -> Any:
    """What an unquoted text means (YAML 1.2.2 section 10.3.2)."""
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    number = float(text) if _FRACTION.fullmatch(text) and not text.lstrip("-+").isdigit() else inf
    return number if isfinite(number) else text


def _require(holds: bool, event: Any, words: str) -> None:
    if not holds:
        raise YamlRefused(f"{words} (line {event.start_mark.line + 1})")
