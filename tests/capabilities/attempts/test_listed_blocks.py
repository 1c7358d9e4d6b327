"""The lists show who is blocked, however many other names are."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import insert

from rbac_api import clock
from rbac_api.capabilities.attempts.service import name_digest
from rbac_api.database.tables import signin_attempts
from tests.builders import Stage
from tests.cast import ALICE, DAVE


def block(stage: Stage, *names: str) -> None:
    now = clock.now()
    common = {"failures": 9, "last_failed_at": now, "blocked_until": now + timedelta(hours=1)}
    rows = [{"name_digest": name_digest(stage.settings, name), **common} for name in names]
    if rows:
        with stage.database.writing() as connection:
            connection.execute(insert(signin_attempts), rows)


@pytest.mark.parametrize("others", [0, 1, 60])
def test_a_blocked_user_is_shown_as_blocked_and_another_is_not(stage: Stage, others: int) -> None:
    alice = stage.as_(ALICE)
    block(stage, DAVE.username, *(f"unknown-{n}" for n in range(others)))

    one = alice.get(f"/v1/users/{stage.user_id(DAVE)}").json
    listed = {user["username"]: user["locked_until"] for user in alice.get("/v1/users").json["items"]}

    assert one["locked_until"] is not None
    assert listed[DAVE.username] == one["locked_until"]
    assert listed[ALICE.username] is None
    assert alice.get("/v1/me").json["locked_until"] is None


@pytest.mark.parametrize("blocked", [(), (DAVE.username,), ("unknown",), (DAVE.username, "unknown")])
def test_the_page_of_all_users_shows_what_a_page_with_a_count_shows(
    stage: Stage, blocked: tuple[str, ...]
) -> None:
    """The first is read by one prepared statement, the second by the statements for all filters."""
    alice = stage.as_(ALICE)
    block(stage, *blocked)

    for limit in (1, 2, 200):
        prepared = alice.every("/v1/users", "", limit)
        assert prepared == alice.every("/v1/users", "&count=true", limit)
        assert len([user for user in prepared if user["locked_until"]]) == len({DAVE.username} & {*blocked})
