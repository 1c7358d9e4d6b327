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
