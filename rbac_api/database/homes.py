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
    Select,
    Table,
    and_,
    cast,
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


def below_root(table: Table) -> ColumnElement[bool]:
    """The home is not ``root``, as the indexes have it."""
    return table.c.home != literal_column("'root'")


def at_home(connection: Connection, table: Table, domains: Collection[str]) -> ColumnElement[bool]:
    """The row's home is one of these domains, or in one of them: looked up where those are few rows, and
    checked while others are read where they are many."""
    if ROOT in domains:
        return true()
    if not domains:
        return false()
    if len(domains) > MANY:
        return looked_up(table.c.id, _among(connection, table, domains))
    found = or_(*(_in(table, table.c.home, literal(name)) for name in sorted(domains)))
    home = func.coalesce(table.c.home, table.c.home)  # an expression, for which no index is read
    passed = or_(*(_in(table, home, literal(name)) for name in sorted(domains)))
    return one_of(connection, table.c.id, select(table.c.id).where(found), passed)


def at_home_exactly(connection: Connection, table: Table, domain: str) -> ColumnElement[bool]:
    """The row's home is this very domain."""
    home = func.coalesce(table.c.home, table.c.home)
    if domain == ROOT:
        return home == domain
    found = select(table.c.id).where(table.c.home == domain, below_root(table))
    return one_of(connection, table.c.id, found, home == domain)


def _in(table: Table, home: ColumnElement[str], domain: ColumnElement[str]) -> ColumnElement[bool]:
    """One range of the index; the last condition leaves out ``acme-eu``, which is between ``acme`` and
    ``acme.eu``."""
    inside = or_(home == domain, home > domain + SEPARATOR)
    return and_(below_root(table), home >= domain, home < domain + _AFTER, inside)


def _among(connection: Connection, table: Table, domains: Collection[str]) -> Select[str]:
    """The ids of the rows in any of very many domains, which are one parameter."""
    names = literal(json.dumps(sorted(domains)))
    if connection.dialect.name == "sqlite":
        name = func.json_each(names).table_valued("value").c.value
    else:
        name = func.json_array_elements_text(cast(names, JSON)).table_valued("value").c.value
    return select(table.c.id).where(_in(table, table.c.home, name))
