"""The role that an event names in its facts, as SQL over the columns that are hashed.

Facts are canonical JSON (``recorder.canonical``), so ``"role":"`` cannot be part of a text: a quotation mark
in a text has a backslash before it.  Names of roles contain nothing that JSON escapes.

The revision ``trail_filters`` makes the index, in the form that each engine has.  Alembic cannot compare it
with the tables' metadata, and on SQLite rebuilding the table would lose it.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, FunctionElement, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

INDEX = "ix_trail_events_role"
_FACTS = """coalesce("after", '') || coalesce("before", '')"""
_UNIFORM = f"""replace({_FACTS}, '"inherits":"', '"role":"')"""
_REST = f"""substr({_UNIFORM}, instr({_UNIFORM}, '"role":"') + 8)"""
_UNLESS_READING = "action NOT IN ('audit.read', 'audit.exported')"  # whose facts are filters
EXPRESSIONS = {
    "sqlite": f'CASE WHEN {_UNLESS_READING} AND instr({_UNIFORM}, \'"role":"\') > 0'
    f" THEN substr({_REST}, 1, instr({_REST}, '\"') - 1) END",
    "postgresql": f"CASE WHEN {_UNLESS_READING}"
    f""" THEN substring({_FACTS} from '"(?:role|inherits)":"([^"]*)"') END""",
}


class _NamedRole(FunctionElement[str]):
    inherit_cache = True
    type = String()


@compiles(_NamedRole, "sqlite")
@compiles(_NamedRole, "postgresql")
def _compile(_element: _NamedRole, compiler: SQLCompiler, **_options: object) -> str:
    return EXPRESSIONS[compiler.dialect.name]


def names_role(role: str) -> ColumnElement[bool]:
    """Return the condition that an event's facts name this role: given, taken, made active, or inherited."""
    return _NamedRole() == role
