"""What the nodes of an installation agree on, in the database."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select

from rbac_api.database.tables import instance


def read_instance(connection: Connection) -> dict[str, str]:
    """What the first node wrote down, by the names of the settings; empty before it did."""
    return {row.name: row.value for row in connection.execute(select(instance))}


def write_instance(connection: Connection, values: Mapping[str, str]) -> None:
    """These instead of what is there."""
    connection.execute(delete(instance))
    connection.execute(insert(instance), [{"name": name, "value": value} for name, value in values.items()])
