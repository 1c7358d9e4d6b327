"""What a service returns is typed as the schema of the answer says: the same members, the same types, null where it may be null."""

from __future__ import annotations

import importlib
import pkgutil
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Literal, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

import marshmallow as ma
import pytest

import rbac_api
from rbac_api.web.fields import Body, Moment, PageQuery

KINDS: dict[type[ma.fields.Field[Any]], type] = {
    ma.fields.String: str,
    ma.fields.Integer: int,
    ma.fields.Boolean: bool,
    ma.fields.DateTime: datetime,
    Moment: datetime,
}


def capability_modules(name: str) -> list[Any]:
    """The modules of this name, one for each capability that has one."""
    found = (module.name for module in pkgutil.walk_packages(rbac_api.__path__, "rbac_api."))
    return [importlib.import_module(module) for module in found if module.endswith(f".{name}")]


def answer_types() -> dict[str, Any]:
    """Every ``…Answer``, ``…Filters`` of a query and ``…Body`` that stands in an ``answers`` module."""
    return {
        name: thing
        for module in capability_modules("answers")
        for name, thing in vars(module).items()
        if is_typeddict(thing) and name.endswith(("Answer", "Filters", "Body"))
    }


def schemas() -> dict[str, type[ma.Schema]]:
    return {name: thing for module in capability_modules("schemas") for name, thing in vars(module).items()}


def schema_of(answer: Any) -> type[ma.Schema]:
    """``SessionAnswer`` is what ``SessionSchema`` describes, and ``DiffFilters`` what ``DiffQuery`` accepts."""
    name = answer.__name__
    for ending, described in {"Answer": "Schema", "Filters": "Query", "Body": "CreateSchema"}.items():
        name = name.replace(ending, described)
    return schemas()[name]


def differences(annotation: Any, field: ma.fields.Field[Any]) -> str | None:
    """What is wrong with a member's annotation; None if nothing is."""
    annotation = get_args(annotation)[0] if get_origin(annotation) is NotRequired else annotation
    parts = get_args(annotation) if isinstance(annotation, UnionType) else (annotation,)
    [kind] = [part for part in parts if part is not NoneType]
    if (NoneType in parts) != field.allow_none and not isinstance(field.root, Body):
        return f"null is {'' if field.allow_none else 'not '}allowed"
    if isinstance(field, ma.fields.List):
        return (
            differences(get_args(kind)[0], field.inner) if get_origin(kind) is list else f"{kind} for a list"
        )
    if isinstance(field, ma.fields.Nested):
        return (
            None if is_typeddict(kind) and not compared(kind, type(field.schema)) else f"{kind} for an object"
        )
    expected = next(known for marshmallow, known in KINDS.items() if isinstance(field, marshmallow))
    kind = type(get_args(kind)[0]) if get_origin(kind) is Literal else kind
    return None if kind is expected else f"{kind} for {expected}"


def fields_of(schema: type[ma.Schema]) -> dict[str, ma.fields.Field[Any]]:
    """An answer's by their names in JSON; a query's by the names that the service reads, without paging."""
    if issubclass(schema, Body):
        paging = PageQuery().fields if issubclass(schema, PageQuery) else ()
        return {name: field for name, field in schema().fields.items() if name not in paging}
    return {field.data_key or name: field for name, field in schema().fields.items()}


def compared(answer: Any, schema: type[ma.Schema]) -> dict[str, str]:
    """Members that differ, and how."""
    hints, fields = get_type_hints(answer, include_extras=True), fields_of(schema)
    promised = {n for n, hint in hints.items() if answer.__total__ and get_origin(hint) is not NotRequired}
    required = {
        name for name, field in fields.items() if field.required or field.load_default is not ma.missing
    }
    found = dict.fromkeys(set(hints) ^ set(fields), "is not in both")
    found |= dict.fromkeys(promised ^ required, "is required in one of them")
    told = {name: differences(hints[name], fields[name]) for name in set(hints) & set(fields)}
    return found | {name: wrong for name, wrong in told.items() if wrong}


@pytest.mark.parametrize("name", answer_types())
def test_an_answer_has_the_members_and_types_of_its_schema(name: str) -> None:
    answer = answer_types()[name]
    assert compared(answer, schema_of(answer)) == {}


def test_a_member_of_another_type_is_found() -> None:
    class Odd(ma.Schema):
        number = ma.fields.String(required=True)
        gone = ma.fields.Integer(required=True)

    answer = next(iter(answer_types().values()))
    assert compared(answer, Odd)


def test_there_are_answers_to_compare() -> None:
    assert len(answer_types()) >= 30
