"""The collection of tables, and how their constraints are named. An error is recognized by the name of the
constraint that it violates."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Column, Index, MetaData, text

from rbac_api.database.types import DOMAIN_PATH

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def unique_while_open(name: str, *columns: Column[str], end: Column[datetime]) -> None:
    """Add an index: rows that have not ended differ in these columns."""
    Index(name, *columns, unique=True, sqlite_where=end.is_(None), postgresql_where=end.is_(None))


def home_column() -> Column[str]:
    """Return the column with the domain where a thing is at home, which decides who may administer it."""
    return Column("home", DOMAIN_PATH, nullable=False, server_default="root")


def index_home(name: str, *columns: Column[str]) -> None:
    """Add an index of what is at home below ``root``, which is nothing in an installation without domains."""
    below = text("home <> 'root'")
    Index(name, *columns, sqlite_where=below, postgresql_where=below)
