"""SQL for domains."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, func, insert, literal_column, select, update

from rbac_api.capabilities.domains.errors import DomainNameTaken
from rbac_api.database.constraints import register_constraint
from rbac_api.database.filters import bounded_count
from rbac_api.database.homes import below_root
from rbac_api.database.queries.domains import DOMAIN, OPEN, DomainRow, is_below
from rbac_api.database.tables import assignments, constraints, domains, roles, users
from rbac_api.database.validity import not_over

register_constraint("uq_domains_name_open", DomainNameTaken)
# As the partial index has it, which no bound value would find
_BELOW_ROOT = assignments.c.domain != literal_column("'root'")


def add_domain(connection: Connection, row: DomainRow) -> None:
    connection.execute(insert(domains).values(row._asdict()))


def update_domain(connection: Connection, domain_id: str, values: Mapping[str, object]) -> None:
    connection.execute(update(domains).where(domains.c.id == domain_id).values(values))


def end_domain(connection: Connection, domain_id: str, now: datetime) -> None:
    connection.execute(update(domains).where(domains.c.id == domain_id).values(valid_to=now))


def find_first_below(connection: Connection, name: str) -> str | None:
    """The name of a domain that is in this one."""
    below = select(domains.c.name).where(is_below(name), OPEN).order_by(domains.c.name).limit(1)
    return connection.execute(below).scalar()


def count_assignments(connection: Connection, name: str, now: datetime) -> int:
    """The number of assignments at this very domain that count now or later."""
    here = (assignments.c.domain == name, _BELOW_ROOT, not_over(assignments, now))
    return connection.execute(select(func.count()).select_from(assignments).where(*here)).scalar_one()


def raise_homes(connection: Connection, name: str, parent: str) -> None:
    """Let what is deleted, and was at home at this very domain, be at home in its parent: a new domain of the
    same name has nothing to do with it."""
    _raise_home(connection, users, name, parent)
    _raise_home(connection, roles, name, parent)
    _raise_home(connection, constraints, name, parent)


def _raise_home(connection: Connection, table: Table, name: str, parent: str) -> None:
    gone = update(table).where(table.c.home == name, below_root(table))
    connection.execute(gone.values(home=parent))


def find_resident(connection: Connection, name: str) -> str | None:
    """What is at home at this very domain, if anything is: a word for its kind."""
    present = {
        "a user or a service account": users.c.status != "deleted",
        "a role": roles.c.valid_to.is_(None),
        "a constraint": constraints.c.valid_to.is_(None),
    }
    for (kind, there), table in zip(present.items(), (users, roles, constraints), strict=True):
        here = select(table.c.id).where(table.c.home == name, below_root(table), there).limit(1)
        if connection.execute(here).first():
            return kind
    return None


def list_domains(
    connection: Connection, condition: ColumnElement[bool], after: str | None, limit: int
) -> list[DomainRow]:
    """Domains by name."""
    query = select(*DOMAIN).where(condition, OPEN).order_by(domains.c.name).limit(limit)
    rows = connection.execute(query.where(domains.c.name > after) if after else query)
    return [DomainRow._make(row) for row in rows]


def count_domains(connection: Connection, condition: ColumnElement[bool]) -> int:
    return bounded_count(connection, select(domains.c.id).where(condition, OPEN))
