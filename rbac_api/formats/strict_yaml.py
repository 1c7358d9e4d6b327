"""Reads and writes YAML restricted to what JSON can express, by the core schema of YAML 1.2.

Anchors and aliases are refused (a few lines of them expand to gigabytes), also tags, duplicate keys and a
second document. A date stays text. The reader goes through libyaml's events once, so its time is linear. It
limits the depth itself: libyaml's own loader builds a document in C, and 100,000 brackets overflow its stack
and end the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import takewhile
from math import inf, isfinite

import yaml

Events = Iterator[yaml.Event]
MAX_DEPTH = 32  # levels of a body, in YAML as in JSON
# libyaml where it is installed: ten times as fast
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_WHOLE = re.compile(r"[-+]?[0-9]{1,19}", re.ASCII)
_FRACTION = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?", re.ASCII)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes no anchors, and quotes every text that ``parse_yaml`` would read as another type."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = isinstance(_resolved(text), str)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _represent_text)


def yaml_text(value: object) -> str:
    """Write a value as YAML that ``parse_yaml`` reads back. The same value always gives the same text."""
    text: str = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096)
    return text


class YamlRefused(ValueError):
    """The text is refused; the message says why."""


def parse_yaml(text: str) -> object:
    """Parse one YAML document to dicts, lists, texts, numbers, booleans and None; else ``YamlRefused``."""
    try:
        return _document(yaml.parse(text, Loader=_LOADER))
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise YamlRefused(f"{getattr(fault, 'problem', None) or 'it cannot be parsed'}{place}") from fault


def _document(events: Events) -> object:
    value, documents = None, 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            _require(documents == 1, event, "there is more than one document")
        elif isinstance(event, yaml.NodeEvent):
            value = _node(event, events, 1)
    return value


def _node(event: yaml.Event, events: Events, depth: int) -> object:
    """Return the value that begins with this event, and consume its events."""
    _require(not isinstance(event, yaml.AliasEvent), event, "aliases are not allowed")
    _require(getattr(event, "anchor", None) is None, event, "anchors are not allowed")
    _require(getattr(event, "tag", None) is None, event, "tags are not allowed")
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event)
    _require(depth <= MAX_DEPTH, event, f"it is nested deeper than {MAX_DEPTH} levels")
    if isinstance(event, yaml.SequenceStartEvent):
        return [_node(inner, events, depth + 1) for inner in _until_end(events)]
    found: dict[object, object] = {}
    for inner in _until_end(events):
        key = _node(inner, events, depth + 1)
        _require(isinstance(key, str), inner, "a key is not text")
        _require(key not in found, inner, "a key comes twice")
        found[key] = _node(next(events), events, depth + 1)
    return found


def _until_end(events: Events) -> Events:
    """Yield the events up to the end of the current collection."""
    return takewhile(lambda event: not isinstance(event, yaml.CollectionEndEvent), events)


def _scalar(event: yaml.ScalarEvent) -> object:
    text = str(event.value)
    return text if not event.implicit[0] or event.style in ("'", '"', "|", ">") else _resolved(text)


def _resolved(text: str) -> object:
    """Return the value of an unquoted text (YAML 1.2.2 section 10.3.2)."""
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _WHOLE.fullmatch(text):
        return int(text)
    number = float(text) if _FRACTION.fullmatch(text) and not text.lstrip("-+").isdigit() else inf
    return number if isfinite(number) else text


def _require(holds: bool, event: yaml.Event, words: str) -> None:
    if not holds:
        raise YamlRefused(f"{words} (line {getattr(event.start_mark, 'line', 0) + 1})")
