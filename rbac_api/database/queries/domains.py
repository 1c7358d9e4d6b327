"""Reads domains: the places where roles count. ``root`` has no row and always exists."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, or_, select, true

from rbac_api.database.engine import batched
from rbac_api.database.tables import domains
from rbac_api.database.validity import in_force
from rbac_api.decision.domains import SEPARATOR
from rbac_api.decision.model import ROOT

_AFTER = chr(ord(SEPARATOR) + 1)  # of all characters the next one


class DomainRow(NamedTuple):
    """A domain that exists."""

    id: str
    name: str
    title: str | None
    description: str
    valid_from: datetime


DOMAIN = tuple(domains.c[name] for name in DomainRow._fields)
OPEN = domains.c.valid_to.is_(None)
_FIND = select(*DOMAIN).where(domains.c.name == bindparam("name"), OPEN)


def find_domain(connection: Connection, name: str) -> DomainRow | None:
    """A domain by its name, other than ``root``."""
    row = connection.execute(_FIND, {"name": name}).first()
    return DomainRow._make(row) if row else None


def existed(connection: Connection, name: str, at: datetime) -> bool:
    """Whether there was a domain of this name at that moment."""
    then = select(domains.c.id).where(domains.c.name == name, in_force(domains, at))
    return connection.execute(then).first() is not None


def list_all_domains(connection: Connection) -> list[DomainRow]:
    """All domains but ``root``."""
    return [DomainRow._make(row) for row in connection.execute(select(*DOMAIN).where(OPEN))]


def list_known(connection: Connection, names: Collection[str]) -> set[str]:
    """Those of these names that are domains."""
    found = {ROOT}.intersection(names)
    for some in batched(list(names)):
        rows = connection.execute(select(domains.c.name).where(domains.c.name.in_(some), OPEN))
        found.update(rows.scalars())
    return found


def is_below(name: str) -> ColumnElement[bool]:
    """The domain is in this one, which is not ``root``, at any depth, and is another."""
    return and_(domains.c.name > name + SEPARATOR, domains.c.name < name + _AFTER)


def is_in(names: Collection[str]) -> ColumnElement[bool]:
    """The domain is one of these, or in one of them."""
    if ROOT in names:
        return true()
    return or_(domains.c.name.in_(names), *map(is_below, sorted(names)))
