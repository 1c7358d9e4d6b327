"""Writes the row by which a refusal can be explained later, with the event that records it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from rbac_api import clock
from rbac_api.database.tables import decisions
from rbac_api.trail.canonical_form import canonical


def decision_text(row: dict[str, Any]) -> str:
    """Return a row of ``decisions`` without the number of its event, as a prepared event has it."""
    fitting = {name: _fitting(name, value) for name, value in row.items()}
    return canonical({**fitting, "at": clock.rfc3339(row["at"])})


def _fitting(name: str, value: Any) -> Any:
    """Return a value that the column takes: a row that could not be written would hold up the whole trail."""
    if not isinstance(value, str):
        return value
    return value.replace("\0", "")[: getattr(decisions.c[name].type, "length", None)]


def add_decisions(connection: Connection, events: list[dict[str, Any]]) -> None:
    """Write the decisions of these events, which have their numbers."""
    rows = [
        {**row, "at": datetime.fromisoformat(row["at"]), "seq": event["seq"]}
        for event in events
        for row in (json.loads(event["decision"]),)
    ]
    connection.execute(insert(decisions), rows)
