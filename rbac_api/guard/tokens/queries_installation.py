"""SQL for what the nodes of an installation agree on."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, delete, insert, select

from rbac_api.database.tables import instance


def read_instance(connection: Connection) -> dict[str, str]:
    """Return what the first node recorded, by the names of the settings; empty before it did."""
    return {row.name: row.value for row in connection.execute(select(instance))}


def write_instance(connection: Connection, values: Mapping[str, str]) -> None:
    """Replace what is recorded."""
    connection.execute(delete(instance))
    connection.execute(insert(instance), [{"name": name, "value": value} for name, value in values.items()])
