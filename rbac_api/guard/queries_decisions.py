"""Refusals by their numbers."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert

from rbac_api.database.tables import decisions


def add_decision(connection: Connection, values: dict[str, Any]) -> None:
    connection.execute(insert(decisions).values(values))
