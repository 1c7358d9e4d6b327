"""The rules of the house that import-linter cannot express: one door per library, pure rooms, sizes, names.

Each rule is a table; a new rule is a new row. All of them read the source and run nothing.
"""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "rbac_api"
SOURCES = sorted(PACKAGE.rglob("*.py"))
VERIFIER = sorted((ROOT / "rbac_verifier").glob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

LONGEST_FUNCTION, LONGEST_FILE, LONGEST_TEST = 40, 300, 40
BANNED_NAMES = {"utils", "helpers", "common", "manager", "handler", "handlers", "base", "misc"}

# What may be imported or called, and the places (paths below rbac_api) that alone may do so.
DOORS = [
    ("flask_jwt_extended", ["guard/tokens/jwt.py"]),
    ("bcrypt", ["guard/hashing.py"]),
    ("os.environ", ["environment.py"]),
    ("os.getenv", []),
    ("datetime.datetime.now", ["clock.py"]),
    ("datetime.datetime.utcnow", []),
    ("datetime.datetime.today", []),
    ("datetime.date.today", []),
    ("time.time", ["clock.py"]),
    ("time.time_ns", ["clock.py", "database/types.py"]),  # a UUIDv7 is made of the time; nobody decides by it
]
# SQL begins in queries.py. Elsewhere SQLAlchemy may only be named: a session handed through, an error caught.
SQL_PLACES = ["database/*", "trail/*", "guard/*/queries*", "capabilities/*/queries*"]
SQL_WORDS = {
    "sqlalchemy.orm.Session",
    "sqlalchemy.Connection",
    "sqlalchemy.Engine",
    "sqlalchemy.Row",
    "sqlalchemy.exc",
    "sqlalchemy.ColumnElement",  # a condition handed from a filter to a query
}
# Between capabilities only services act; their errors and shapes are words that others may use too.
MEETING_PLACES = ("service", "errors", "schemas", "answers")
# HTTP ends in routes.py.
NO_HTTP = ["decision/*", "trail/*", "database/*", "capabilities/*/service*", "capabilities/*/queries*"]
HTTP = {"flask", "werkzeug", "flask_smorest", "webargs"}
# Rules are pure: the standard library and the kinds of errors, nothing else.
PURE = ["decision/*", "errors.py"]
PURE_MAY = {"rbac_api.errors", "rbac_api.decision", "rbac_api.formats.http_errors"}


def where(source: Path) -> Path:
    return source.relative_to(PACKAGE)


def lies_in(source: Path, places: list[str]) -> bool:
    """True if the file is one of the places, or below a folder that is (`queries*` means file or folder)."""
    here = where(source)
    return any(part.match(place) for part in (here, *here.parents) for place in places)


@cache
def tree(source: Path) -> ast.Module:
    return ast.parse(source.read_text(), str(source))


@cache
def imports(source: Path) -> dict[str, str]:
    """Local name → full dotted name, for every import wherever it stands in the file."""
    names: dict[str, str] = {}
    package = ("rbac_api", *where(source).parent.parts)
    for node in ast.walk(tree(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name] = alias.name
        elif isinstance(node, ast.ImportFrom):
            origin = [*package[: len(package) + 1 - node.level]] if node.level else []
            origin += [node.module] if node.module else []
            names.update({a.asname or a.name: ".".join([*origin, a.name]) for a in node.names})
    return names


@cache
def uses(source: Path) -> set[str]:
    """Every imported thing and every attribute reached through an import, by its full name."""
    local = imports(source)
    found = set(local.values())
    for node in ast.walk(tree(source)):
        if isinstance(node, ast.Attribute):
            head, _, rest = ast.unparse(node).partition(".")
            found.add(f"{local.get(head, '')}.{rest}")
    return found


def is_within(name: str, things: set[str]) -> bool:
    return any(name == thing or name.startswith(f"{thing}.") for thing in things)


def functions(source: Path) -> Iterator[tuple[str, int]]:
    """Name and length of each function. A docstring teaches and costs nothing, so it is not counted."""
    for node in ast.walk(tree(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if ast.get_docstring(node, clean=False) is not None:
                length -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
            yield node.name, length


def too_long(sources: list[Path], limit: int) -> list[str]:
    return [
        f"{source.relative_to(ROOT)}: {name} has {length} lines"
        for source in sources
        for name, length in functions(source)
        if length > limit
    ]


@pytest.mark.parametrize(("thing", "places"), DOORS, ids=[door for door, _ in DOORS])
def test_a_library_has_one_door(thing: str, places: list[str]) -> None:
    trespassers = [
        str(where(source))
        for source in SOURCES
        if not lies_in(source, places) and any(is_within(name, {thing}) for name in uses(source))
    ]
    assert not trespassers, f"{thing} may be used only in {places}"


def test_sql_begins_in_queries() -> None:
    found = [
        f"{where(source)}: {name}"
        for source in SOURCES
        if not lies_in(source, SQL_PLACES)
        for name in imports(source).values()
        if is_within(name, {"sqlalchemy", "psycopg", "sqlite3"}) and not is_within(name, SQL_WORDS)
    ]
    assert not found, f"SQL is written only in {SQL_PLACES}"


def test_http_ends_in_routes() -> None:
    found = [
        f"{where(source)}: {name}"
        for source in SOURCES
        if lies_in(source, NO_HTTP)
        for name in imports(source).values()
        if is_within(name, HTTP)
    ]
    assert not found, "what a service does must not depend on who calls it"


def test_rules_are_pure() -> None:
    may = set(sys.stdlib_module_names) - {"os", "time", "random", "secrets", "socket", "sqlite3"} | PURE_MAY
    found = [
        f"{where(source)}: {name}"
        for source in SOURCES
        if lies_in(source, PURE)
        for name in imports(source).values()
        if not is_within(name, may)
    ]
    assert not found, "decision/ and errors.py know the standard library only, and no clock or chance"


def test_capabilities_meet_only_in_their_services() -> None:
    found = []
    for source in SOURCES:
        home, *inner = where(source).parts
        for name in imports(source).values():
            _, _, target, *rest = [*name.split("."), "", ""]
            foreign = name.startswith("rbac_api.capabilities.") and target != inner[:1][0] if inner else False
            if home == "capabilities" and foreign and rest[0] not in MEETING_PLACES:
                found.append(f"{where(source)}: {name}")
    assert not found, "between capabilities only services act; errors and schemas are words"


def test_functions_fit_on_a_screen() -> None:
    assert not too_long(SOURCES + VERIFIER, LONGEST_FUNCTION)


def test_tests_fit_on_a_screen() -> None:
    assert not too_long(TESTS, LONGEST_TEST)


def test_files_can_be_read_in_one_sitting() -> None:
    lengths = {
        str(source.relative_to(ROOT)): len(source.read_text().splitlines()) for source in SOURCES + VERIFIER
    }
    assert not {name: length for name, length in lengths.items() if length > LONGEST_FILE}


def test_names_say_something() -> None:
    found = [str(where(s)) for s in SOURCES if BANNED_NAMES & {s.stem, *where(s).parent.parts}]
    assert not found, "a name that fits everything says nothing"


def test_packages_say_what_they_own() -> None:
    silent = [str(where(s)) for s in SOURCES if s.name == "__init__.py" and not ast.get_docstring(tree(s))]
    assert not silent, "a package's docstring says what it owns, refuses, and who may call it"
