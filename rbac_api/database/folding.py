"""Compares names without regard to case, as the unique indexes of revision 0007 do.

The indexes are not part of the tables' metadata: each engine has its own form of them, which Alembic cannot
compare.
"""

from __future__ import annotations

from sqlalchemy import Boolean, ColumnElement, FunctionElement, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

FOLDED = ("uq_constraints_name_folded", "uq_permissions_name_folded", "uq_roles_name_folded")


class _Folded(FunctionElement[str]):
    """Folds names, which are ASCII: both engines fold them alike, whatever the database's locale."""

    inherit_cache = True


@compiles(_Folded, "sqlite")
def _on_sqlite(element: _Folded, compiler: SQLCompiler, **options: object) -> str:
    return f"{compiler.process(element.clauses, **options)} COLLATE NOCASE"


@compiles(_Folded, "postgresql")
def _on_postgresql(element: _Folded, compiler: SQLCompiler, **options: object) -> str:
    return f'lower({compiler.process(element.clauses, **options)} COLLATE "C")'


def is_named(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """The name is this one, or differs from it only by case."""
    return _Folded(column).op("=", return_type=Boolean())(_Folded(literal(name)))
