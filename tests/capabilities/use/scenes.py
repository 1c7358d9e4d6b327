"""Uses on any day, and the lists that speak of them."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

from rbac_api import clock
from rbac_api.guard.state.queries_uses import UseRow, add_uses, encoded
from tests.builders import Caller, Stage


def day(ago: int) -> date:
    return clock.now().date() - timedelta(days=ago)


def used(
    stage: Stage, person: Any, *permissions: str, ago: int = 0, times: int = 1, factor: bool = False
) -> None:
    """Somebody has used these permissions, so many days ago at noon; today just now."""
    user_id, now = stage.user_id(person), clock.now()
    at = now if ago == 0 else datetime.combine(day(ago), time(12), now.tzinfo)
    rows = [UseRow(user_id, permission, at.date(), factor, times, at) for permission in permissions]
    way_in = stage.database.writing() if stage.engine == "sqlite" else stage.database.autocommit()
    with way_in as connection:
        add_uses(connection, encoded(rows, on_sqlite=stage.engine == "sqlite"))


def since(ago: int) -> str:
    return f"{day(ago).isoformat()}T00:00:00Z"


def names(caller: Caller, path: str, query: str = "") -> list[str]:
    """The permissions that a list of unused ones has, all pages."""
    found: list[str] = []
    cursor = ""
    while True:
        answer = caller.get(f"{path}?limit=2{query}{cursor}")
        assert answer.status_code == 200, answer.text
        assert answer.json["granularity"] == "day"
        found += [item["permission"] for item in answer.json["items"]]
        if answer.json["next"] is None:
            break
        cursor = f"&cursor={answer.json['next']}"
    assert found == sorted(set(found))
    return found
