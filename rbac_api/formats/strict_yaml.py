"""YAML read strictly: what JSON could say as well, of YAML 1.2's core schema, and nothing that grows, repeats or runs.

No anchors and aliases (a few lines of them unfold into gigabytes), no tags, no duplicate keys, no second document; a moment stays text.
The reader goes through libyaml's events once, so its time is linear, and its depth is bounded before libyaml's own loader, which builds a
document in C, could overflow the stack: 100,000 brackets end a process that loads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from math import inf, isfinite
from typing import Any

import yaml

DEEPEST = 32  # levels of a body, in YAML as in JSON
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it is there: ten times as fast
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_WHOLE = re.compile(r"[-+]?[0-9]{1,19}", re.ASCII)
_FRACTION = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?", re.ASCII)


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


def parse_yaml(text: str) -> Any:
    """One YAML document as dicts, lists, texts, numbers, booleans and None; ``YamlRefused`` otherwise."""
    try:
        return _document(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise YamlRefused(f"{getattr(fault, 'problem', None) or 'it cannot be parsed'}{place}") from fault


def _document(events: Iterator[Any]) -> Any:
    value, documents = None, 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            _require(documents == 1, event, "there is more than one document")
        elif isinstance(event, yaml.NodeEvent):
            value = _node(event, events, 1)
    return value


def _node(event: Any, events: Iterator[Any], depth: int) -> Any:
    """The value that begins with this event; takes what belongs to it from the others."""
    _require(not isinstance(event, yaml.AliasEvent), event, "aliases are not allowed")
    _require(event.anchor is None, event, "anchors are not allowed")
    _require(event.tag is None, event, "tags are not allowed")
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    _require(depth <= DEEPEST, event, f"it is nested deeper than {DEEPEST} levels")
    if isinstance(event, yaml.SequenceStartEvent):
        return [_node(inner, events, depth + 1) for inner in _until_end(events)]
    found: dict[str, Any] = {}
    for inner in _until_end(events):
        key = _node(inner, events, depth + 1)
        _require(isinstance(key, str), inner, "a key is not text")
        _require(key not in found, inner, "a key comes twice")
        found[key] = _node(next(events), events, depth + 1)
    return found


def _until_end(events: Iterator[Any]) -> Iterator[Any]:
    """The events up to the end of the collection that was begun last."""
    return takewhile(lambda event: not isinstance(event, yaml.CollectionEndEvent), events)


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
