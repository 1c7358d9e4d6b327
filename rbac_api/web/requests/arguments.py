"""Reads bodies and queries strictly: ambiguous input is refused, not guessed at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NoReturn

import flask
import marshmallow as ma
from webargs.flaskparser import FlaskParser

from rbac_api.errors import Fault, Invalid
from rbac_api.formats.http_errors import NotJson, TooLarge, Unreadable
from rbac_api.formats.strict_yaml import MAX_DEPTH
from rbac_api.web.fields import OptionalBody, Whole

_TOO_DEEP = f"The body is nested deeper than {MAX_DEPTH} levels."
_OF_SCHEMA, _OF_FIELD = ma.Schema().error_messages, ma.fields.Field.default_error_messages
_NO_OBJECT, _FRACTION = _OF_SCHEMA["type"], str(Whole.default_error_messages["fraction"])
# marshmallow reports messages without their keys, so they are recognised by their text.
_KNOWN = {
    _OF_SCHEMA["unknown"]: ("field.unknown", "This field is not known here; remove it."),
    _OF_FIELD["required"]: ("field.required", "This field is required."),
    _NO_OBJECT: ("field.invalid", "Send a JSON object."),
    _FRACTION: ("field.fraction", _FRACTION),
}
MAX_QUERIES, MAX_QUERY_LENGTH = 256, 512  # remembered after parsing; in characters
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# In UTF-8 JSON these characters can only be written as escapes; without any, no text needs to be checked.
_ESCAPED = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
_UNSTORABLE_DETAIL = "NUL and unpaired surrogates are not allowed."


class StrictParser(FlaskParser):
    """A webargs parser that refuses unknown arguments, wrong media types, repeated and oversized values."""

    DEFAULT_UNKNOWN_BY_LOCATION = {  # noqa: RUF012 -- webargs declares it so
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "query": ma.RAISE,
        "querystring": ma.RAISE,
        "json": ma.RAISE,
    }

    def __init__(self) -> None:
        super().__init__()
        self._parsed_query = lru_cache(MAX_QUERIES)(self._parse_query)

    def parse(
        self, argmap: Any, req: flask.Request | None = None, *, location: str | None = None, **options: Any
    ) -> Any:
        """Parse a body or a query.

        The meaning of a query depends on its text and the schema alone, and clients repeat theirs: the latest
        are remembered. A refused one is not.
        """
        text = flask.request.environ.get("QUERY_STRING", "")
        if location != "query" or len(text) > MAX_QUERY_LENGTH:
            return super().parse(argmap, req, location=location, **options)
        return dict(self._parsed_query(argmap, text))  # a copy: views remove what they have used

    @property
    def remembered(self) -> int:
        """The number of queries that are remembered."""
        return self._parsed_query.cache_info().currsize

    def _parse_query(self, schema: ma.Schema, _text: str) -> dict[str, object]:
        found: dict[str, object] = super().parse(schema, location="query")
        return found

    def load_json(self, req: flask.Request, schema: ma.Schema) -> object:
        if isinstance(schema, OptionalBody) and not whole_body(req):
            return ma.missing
        if req.mimetype != "application/json":
            raise NotJson()
        return strict_json(whole_body(req))

    def load_querystring(self, req: flask.Request, schema: ma.Schema) -> object:
        refuse_repeated_query(req, schema)
        return super().load_querystring(req, schema)

    def handle_error(
        self, error: ma.ValidationError, req: flask.Request, schema: ma.Schema, **_options: object
    ) -> NoReturn:
        messages = error.normalized_messages()  # type: ignore[no-untyped-call]
        raise Invalid(faults=tuple(_faults(_without_location(messages))))


def strict_json(data: bytes) -> object:
    """Parse a JSON text (RFC 8259) in UTF-8.

    Refuses a BOM, duplicate keys, NaN, huge numbers, deep nesting, NUL and lone surrogates.
    """
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_small_integer,
            parse_float=_finite,
        )
    except (ValueError, RecursionError) as fault:
        raise Unreadable(internal=f"{type(fault).__name__}") from fault
    _check_depth(value)
    if _ESCAPED.search(data):
        _check_text(value)
    return value


def whole_body(req: flask.Request) -> bytes:
    """Return the body; 413 if it is longer than allowed.

    werkzeug checks Content-Length, but cuts a chunked body off silently.
    """
    data = req.get_data(cache=True)
    terminated = req.content_length is None and req.environ.get("wsgi.input_terminated")
    if terminated and req.environ["wsgi.input"].read(1):
        raise TooLarge()
    return data


def refuse_repeated_query(req: flask.Request, schema: ma.Schema | None = None) -> None:
    """Refuse repeated query arguments, unless the schema has a list of them, and text that a database cannot
    store."""
    fields = schema.fields.items() if schema is not None else ()
    lists = {field.data_key or name for name, field in fields if isinstance(field, ma.fields.List)}
    faults = [
        Fault(_step(name), "field.repeated", "Give this argument once.")
        for name, values in req.args.lists()
        if len(values) > 1 and name not in lists
    ]
    faults += [
        Fault("" if _unstorable(name) else _step(name), "field.characters", _UNSTORABLE_DETAIL)
        for name, value in req.args.items(multi=True)
        if _unstorable(name + value)
    ]
    if faults:
        raise Invalid(faults=tuple(faults))


def refuse_unknown_query() -> None:
    """Refuse any query argument, for operations that take none."""
    if flask.request.query_string:
        refuse_repeated_query(flask.request)
        faults = tuple(
            Fault(_step(name), "field.unknown", "This operation has no argument of this name. Leave it out.")
            for name in sorted(flask.request.args)
        )
        if faults:
            raise Invalid(faults=faults)


def refuse_unknown_body() -> None:
    """Refuse any body, for operations that take none. ``{}`` counts as no body."""
    body = whole_body(flask.request)
    try:
        value = strict_json(body) if body else {}
    except (Unreadable, Invalid):
        value = None
    if value == {}:
        return
    faults = [
        Fault(_step(name), "field.unknown", "This operation has no field of this name. Leave it out.")
        for name in (sorted(value) if isinstance(value, dict) else ())
    ]
    raise Invalid(
        faults=tuple(faults) or (Fault("", "field.unknown", "This operation takes no body. Send none."),)
    )


def _unstorable(text: str) -> bool:
    return bool(_UNSTORABLE.search(text)) or "\ufffd" in text


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("duplicate key")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _small_integer(digits: str) -> int:
    if len(digits) > 19:
        raise ValueError("integer of more than 64 bits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError("number too large")
    return value


def _check_depth(value: object) -> None:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise Unreadable(_TOO_DEEP)
        inside = (
            item.values() if isinstance(item, dict) else item
            for item in level
            if isinstance(item, (dict, list))
        )
        level = [item for items in inside for item in items]


def check_depth_and_text(value: object) -> None:
    """Raise 400 for a value nested too deep, 422 for text that a database cannot store."""
    _check_depth(value)
    _check_text(value)


def _check_text(item: object, pointer: str = "") -> None:
    """Check all texts of a value. Its depth is checked before."""
    texts = [item] if isinstance(item, str) else list(item) if isinstance(item, dict) else []
    if any(_UNSTORABLE.search(text) for text in texts):
        raise Invalid(faults=(Fault(pointer, "field.characters", _UNSTORABLE_DETAIL),))
    if isinstance(item, dict):
        for key, inner in item.items():
            _check_text(inner, pointer + _step(key))
    elif isinstance(item, list):
        for index, inner in enumerate(item):
            _check_text(inner, f"{pointer}/{index}")


def _faults(messages: object, pointer: str = "") -> Iterator[Fault]:
    """Flatten marshmallow's nested messages."""
    if isinstance(messages, dict):
        for key, inner in messages.items():
            yield from _faults(inner, pointer + _step(key))
    elif isinstance(messages, list):
        for message in messages:
            yield from _faults(message, pointer)
    else:
        yield _fault(str(messages), pointer)


def _without_location(messages: dict[str, object]) -> object:
    """Remove the level ``json`` or ``query`` of webargs, and ``_schema``, marshmallow's key for the whole."""
    (inner,) = messages.values()
    return inner["_schema"] if inner == {"_schema": [_NO_OBJECT]} else inner


def _step(name: object) -> str:
    """Return one step of a JSON Pointer (RFC 6901 section 3)."""
    return "/" + str(name).replace("~", "~0").replace("/", "~1")


def _fault(message: str, pointer: str) -> Fault:
    code, detail = _KNOWN.get(message, ("field.invalid", message))
    return Fault(pointer, code, detail)


__all__ = [
    "StrictParser",
    "check_depth_and_text",
    "refuse_repeated_query",
    "refuse_unknown_body",
    "refuse_unknown_query",
    "strict_json",
    "whole_body",
]
