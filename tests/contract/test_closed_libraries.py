"""Libraries are used through their public doors: an underscored name of another's is not imported, called, read, set or overridden.

One file opens one library, and says why; a test here fails when what it stands on moves.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import flask_smorest
import gunicorn.http.wsgi as writing
import marshmallow as ma
import pytest
from flask import Flask
from gunicorn.http import get_parser
from gunicorn.workers.base import Worker as GunicornWorker

import rbac_api
from rbac_api.cli.worker import Worker
from rbac_api.web.openapi import smorest

PACKAGE = Path(rbac_api.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))
OPENED = "web/openapi/smorest.py"
# Underscored, and documented for use all the same.
DOCUMENTED = {
    "_asdict", "_fields", "_make", "_replace",  # collections.namedtuple, and in part SQLAlchemy's Row
    "_mapping",  # SQLAlchemy's Row
    "_get_current_object",  # werkzeug's LocalProxy
    "_deserialize",  # marshmallow: what a field of one's own overrides
}  # fmt: skip
BY_NAME = {"getattr", "setattr", "hasattr", "delattr", "attrgetter", "methodcaller", "getattr_static"}
STARTS = {"rbac_api.__main__"}  # run on being imported


def is_private(name: str) -> bool:
    return name[:1] == "_" != name[1:2] and name not in {"_", *DOCUMENTED}


def defined(tree: ast.AST) -> set[str]:
    """Names that a piece of source gives to something: functions, classes, variables, attributes of ``self``."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name, ctx=ast.Store()):
                found.add(name)
    return found


def opened(tree: ast.Module) -> Iterator[str]:
    """Every place of a module where an underscored name that is none of its own is imported or reached."""
    own = defined(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                parts = [part for alias in names for part in alias.name.split(".")]
            case ast.ImportFrom(module=module, names=names):
                parts = [*(module or "").split("."), *(alias.name for alias in names)]
            case ast.Attribute(attr=name):
                parts = [name] if name not in own else []
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in BY_NAME:
                texts = [each.value for each in args if isinstance(each, ast.Constant)]
                parts = [text for text in texts if isinstance(text, str) and text not in own]
            case _:
                continue
        yield from (f"line {node.lineno}: {part}" for part in parts if is_private(part))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_underscored_name_of_another_module_is_used(source: Path) -> None:
    found = list(opened(ast.parse(source.read_text(encoding="utf-8"))))

    assert bool(found) == (source == PACKAGE / OPENED), found


@pytest.mark.parametrize(
    "text",
    [
        "import library._inner", "from library._inner import thing", "from library import _thing", "import library as x; x._thing()",
        "def f(x): return x._thing", "def f(x): x._thing = 1", "def f(x): del x._thing", "getattr(x, '_thing')", "setattr(x, '_thing', 1)",
        "import operator; operator.attrgetter('_thing')", "class A(B):\n def f(self): return self._thing()",
        "class A(B):\n def f(self): return super()._thing()", "f()._thing[0]",
    ],
)  # fmt: skip
def test_the_search_finds_each_way_of_opening_a_library(text: str) -> None:
    assert [found.split()[-1] in ("_thing", "_inner") for found in opened(ast.parse(text))] == [True]


def test_the_search_lets_names_of_the_modules_own_be() -> None:
    text = "class A:\n def __init__(self): self._a = _b = 1\n def f(self, x: 'A'): return x._a, self._f(), x.__dict__\n def _f(self): ..."

    assert list(opened(ast.parse(text))) == []


def modules() -> Iterator[ModuleType]:
    for source in SOURCES:
        parts = (PACKAGE.name, *source.relative_to(PACKAGE).with_suffix("").parts)
        name = ".".join(parts).removesuffix(".__init__")
        if name not in STARTS:
            yield importlib.import_module(name)


def is_ours(thing: type) -> bool:
    return thing.__module__.split(".")[0] == PACKAGE.name


@cache
def within(thing: type) -> frozenset[str]:
    """The underscored names in a class: of its methods and of what they keep in ``self``."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError):  # written in C, or made while the program runs
        return frozenset(filter(is_private, vars(thing)))
    return frozenset(filter(is_private, defined(tree) | set(vars(thing) if not is_ours(thing) else ())))


def overridden(thing: type) -> set[str]:
    """The underscored names that a class has in common with the libraries' classes it is made of."""
    theirs = {name for base in thing.__mro__[1:] if not is_ours(base) for name in within(base)}
    return set(within(thing) & theirs)


def test_no_underscored_name_of_a_librarys_class_is_overridden_or_hidden() -> None:
    ours = {each for module in modules() for each in vars(module).values() if inspect.isclass(each)}
    found = {
        f"{each.__module__}.{each.__qualname__}": overridden(each)
        for each in ours
        if is_ours(each) and each.__module__ != smorest.__name__
    }

    assert len(found) > 300
    assert {name: names for name, names in found.items() if names} == {}


def test_the_comparison_finds_a_method_and_an_attribute_of_the_librarys() -> None:
    class Method(flask_smorest.Api):
        def _register_responses(self) -> None: ...

    class Attribute(flask_smorest.Blueprint):
        def keep(self) -> None:
            self._docs: dict[str, int] = {}

    assert (overridden(Method), overridden(Attribute)) == ({"_register_responses"}, {"_docs"})


def test_what_is_opened_of_flask_smorest_is_where_it_was() -> None:
    blueprint = flask_smorest.Blueprint("name", __name__)
    view = blueprint.doc(summary="x")(lambda: None)
    api = [name for name in vars(smorest.BareApi) if name.startswith("_register")]

    assert smorest.description_of(view) == {"manual_doc": {"summary": "x"}}
    assert len(blueprint._prepare_doc_cbks) == 4
    assert blueprint._prepare_arguments_doc in blueprint._prepare_doc_cbks
    assert len(api) == 4
    assert [name for name in api if not callable(getattr(flask_smorest.Api, name, None))] == []


def parameters(function: object) -> list[str]:
    return list(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_what_the_worker_stands_on_in_gunicorn_is_where_it_was() -> None:
    """None of it is underscored, but none of it is promised either (decision 47)."""
    parser, response = get_parser, writing.Response

    assert (
        parameters(parser) == ["cfg", "source", "source_addr", "http2_connection"][: len(parameters(parser))]
    )
    assert parameters(writing.create)[:5] == ["req", "sock", "client", "server", "cfg"]
    assert "response_class" in parameters(writing.create)
    for name in ("default_headers", "force_close", "should_close", "start_response", "write", "close"):
        assert callable(getattr(response, name)), name
    for name in ("init_process", "handle_exit", "notify", "run"):
        assert callable(getattr(GunicornWorker, name)), name
    assert {"run", "init_process", "handle_exit"} <= vars(Worker).keys()
    assert {"alive", "sockets", "ppid", "app", "cfg", "wsgi"} <= set(dir(GunicornWorker)) | defined(
        ast.parse(inspect.getsource(GunicornWorker).lstrip())
    )


def test_no_sentence_of_marshmallow_is_copied() -> None:
    """They are told by their keys: another release, or another language, may say them otherwise."""
    fields = [
        each
        for each in vars(ma.fields).values()
        if inspect.isclass(each) and issubclass(each, ma.fields.Field)
    ]
    sentences = {
        text for each in fields for text in each.default_error_messages.values() if isinstance(text, str)
    }
    sentences |= set(ma.Schema().error_messages.values())
    copied = {
        f"{source.relative_to(PACKAGE)}: {node.value}"
        for source in SOURCES
        if source != PACKAGE / "errors.py"  # an example of an answer
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in sentences
    }

    assert len(sentences) > 20
    assert copied == set()


def test_the_service_is_flask_itself() -> None:
    """No subclass of it, of which methods could be overridden (decision 61)."""
    subclasses = {each for module in modules() for each in vars(module).values() if inspect.isclass(each)}

    assert [each for each in subclasses if issubclass(each, Flask) and is_ours(each)] == []


def test_what_a_view_says_of_itself_is_not_written_into_the_view_that_it_wraps() -> None:
    def inner() -> None: ...

    def outer() -> None: ...

    smorest.described(inner)["tagged"] = True
    functools.update_wrapper(outer, inner)
    smorest.described(outer)["paged"] = True
    smorest.described(outer)["conditional"] = True

    assert smorest.description_of(inner) == {"tagged": True}
    assert smorest.description_of(outer) == {"tagged": True, "paged": True, "conditional": True}
