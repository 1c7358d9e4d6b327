"""Selects what is at home in a domain, or in a domain below it: a range of an index for each.

A home is the name of a domain, compared by code points.  The indexes leave out what is at home at ``root``;
a condition names that literally, since no bound value would find such an index.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    FromClause,
    Table,
    and_,
    cast,
    exists,
    false,
    func,
    literal,
    literal_column,
    or_,
    select,
    true,
)

from rbac_api.database.filters import looked_up, one_of
from rbac_api.decision.domains import SEPARATOR
from rbac_api.decision.model import ROOT

MANY = 100  # ranges written out in a statement
_AFTER = chr(ord(SEPARATOR) + 1)  # of all characters the next one


def below_root(table: FromClause) -> ColumnElement[bool]:
    """The home is not ``root``, as the indexes have it."""
    return table.c.home != literal_column("'root'")


def at_home(connection: Connection, table: Table, domains: Collection[str]) -> ColumnElement[bool]:
    """The row's home is one of these domains, or in one of them: looked up where those are few rows, and
    checked while others are read where they are many."""
    if ROOT in domains:
        return true()
    if len(domains) > MANY:
        there = table.alias()  # else the sub-query would take the table from the query around it
        names = _in(there.c.home, _names(connection, domains))
        return looked_up(table.c.id, select(there.c.id).where(below_root(there), names))
    home = func.coalesce(table.c.home, table.c.home)  # an expression, for which no index is read
    passed = or_(false(), *(_in(home, literal(name)) for name in sorted(domains)))
    here = (and_(below_root(table), _in(table.c.home, literal(name))) for name in sorted(domains))
    ranges = or_(false(), *here)
    return one_of(connection, table.c.id, select(table.c.id).where(ranges), passed)


def is_in(
    connection: Connection, column: ColumnElement[str], domains: Collection[str]
) -> ColumnElement[bool]:
    """The column, of any collation, names one of these domains, of which none is ``root``, or one in them; no
    index is read for it."""
    name: ColumnElement[str] = func.coalesce(column, column)
    if connection.dialect.name == "postgresql":
        name = name.collate("C")
    if len(domains) > MANY:
        return exists(select(1).where(_in(name, _names(connection, domains))))
    return or_(false(), *(_in(name, literal(domain)) for domain in sorted(domains)))


def at_home_exactly(connection: Connection, table: Table, domain: str) -> ColumnElement[bool]:
    """The row's home is this very domain."""
    home = func.coalesce(table.c.home, table.c.home)
    if domain == ROOT:
        return home == domain
    found = select(table.c.id).where(table.c.home == domain, below_root(table))
    return one_of(connection, table.c.id, found, home == domain)


def _in(name: ColumnElement[str], domain: ColumnElement[str]) -> ColumnElement[bool]:
    """One range of an index; the last condition leaves out ``acme-eu``, which is between ``acme`` and
    ``acme.eu``."""
    return and_(name >= domain, name < domain + _AFTER, or_(name == domain, name > domain + SEPARATOR))


def _names(connection: Connection, domains: Collection[str]) -> ColumnElement[str]:
    """A column of very many domains, which are one parameter."""
    names = literal(json.dumps(sorted(domains)))
    if connection.dialect.name == "sqlite":
        values = func.json_each(names).table_valued("value")
    else:
        values = func.json_array_elements_text(cast(names, JSON)).table_valued("value")
    found: ColumnElement[str] = values.c.value
    return found
