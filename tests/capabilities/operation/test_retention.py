"""What nothing needs any more goes by itself, few rows at a time; the trail keeps what it says of it."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from time_machine import Traveller

from rbac_api.capabilities.operation import retention
from rbac_api.capabilities.operation.retention import STEPS, Retention
from rbac_api.database.constraints import DatabaseDown
from rbac_api.database.tables import metadata
from tests.builders import Caller, Stage
from tests.capabilities.activations.scenes import activate, give
from tests.capabilities.incidents.test_incidents import ask, dave_at_home
from tests.capabilities.oauth.robot import ask_token, make_robot
from tests.capabilities.second_factor.device import PROOF, enrolled, sign_in
from tests.capabilities.signin.crowd import refresh
from tests.cast import ALICE, BOB, DAVE
from tests.patience import PATIENCE

DAY = 86400
# Tables whose rows have an end of their own, or none because the past can be asked for.
OTHERWISE = {
    "trail_events": "append-only, nothing is ever deleted",
    "personal_values": "stay with their events, until an erasure",
    "trail_domains": "of the events, which stay",
    "trail_nodes": "of the tree over the events, which stay",
    "trail_outbox": "linked into the trail within a second",
    "users": "a tombstone keeps id and name from being given out again",
    "service_accounts": "part of a row of users",
    "user_search": "goes when the user is deleted",
    "roles": "the past can be asked for", "permissions": "the same", "role_permissions": "the same", "role_inheritance": "the same",
    "assignments": "the same", "constraints": "the same", "constraint_roles": "the same", "policy_changes": "can be reverted",
    "domains": "the same",
    "recovery_codes": "ten at most, and they go with the factor",
    "signing_keys": "end with their tokens", "followers": "one per listener",
    "key_uses": "one per key", "instance": "a few facts of the installation",
}  # fmt: skip
WITH_SESSIONS = {"refresh_tokens", "activations"}
REVOCATIONS = {"revocations"}  # go with the tokens, and the newest stays
USES = {"permission_uses"}  # have a time of their own
OLD = (STEPS.keys() | WITH_SESSIONS) - REVOCATIONS - USES


def counts(stage: Stage) -> dict[str, int]:
    return {table: stage.query(f"SELECT count(*) FROM {table}")[0][0] for table in OLD}


def sweep(stage: Stage) -> dict[str, int]:
    found: dict[str, int] = retention_of(stage).delete_old()
    return found


def retention_of(stage: Stage) -> Retention:
    return Retention(stage.settings, stage.database)


def one_of_each(stage: Stage) -> None:
    """A row in every table that is looked after, and more than one in some."""
    alice, dave = stage.as_(ALICE), stage.as_(DAVE)
    give(alice, DAVE, "auditor", mode="eligible")
    activate(dave, "auditor")
    newer = refresh(stage, dave.tokens["refresh_token"]).json
    dave.tokens = newer
    dave.post("/v1/roles", json={"name": "x"})  # refused: a decision
    dave.post("/v1/me/totp", json=PROOF)
    sign_in(stage, BOB, password="wrong")
    alice.post("/v1/users", json={"username": "erin"}, headers={"Idempotency-Key": "k-1"})  # a setup token
    robot = make_robot(stage, "auditor")
    ask_token(stage, robot)
    alice.delete(f"{robot.path}/secrets/{robot.secret_id}")
    thief = dave_at_home(stage)
    alice.delete(f"/v1/sessions/{thief.tokens['session_id']}")
    ask(thief)
    for incident in alice.get("/v1/incidents").json["items"]:
        alice.post(f"/v1/incidents/{incident['id']}/close", json={"reason": "known"})


def test_every_table_is_looked_after_or_has_an_end_of_its_own() -> None:
    assert set(metadata.tables) == OLD | set(OTHERWISE) | REVOCATIONS | USES


def test_after_the_retention_time_and_not_before_everything_goes_and_the_trail_stays(
    stage: Stage, frozen: Traveller
) -> None:
    one_of_each(stage)
    assert min(counts(stage).values()) > 0
    before, events = counts(stage), stage.events()

    frozen.shift(DAY + 1)
    sweep(stage)
    soon = counts(stage)
    frozen.shift(88 * DAY)
    sweep(stage)
    almost = counts(stage)
    frozen.shift(2 * DAY)
    deleted = sweep(stage)

    gone_soon = {"signin_attempts", "idempotency_keys", "totp_factors"}
    assert {table for table in before if soon[table] < before[table]} == gone_soon
    assert almost == soon
    assert set(counts(stage).values()) == {0}
    assert deleted.keys() == STEPS.keys() - gone_soon - REVOCATIONS - USES
    assert stage.query("SELECT count(*) FROM revocations") == [(1,)]
    assert stage.events()[: len(events)] == events
    assert sweep(stage) == {}


def test_who_used_what_is_kept_for_a_time_of_its_own(stage: Stage, node: Any, frozen: Traveller) -> None:
    short = node(use_retention_days=100, retention_days=1)
    for _ in range(2):
        short.as_(BOB).get("/v1/users")
        short.guard.runtime.uses.flush()
        frozen.shift(50 * DAY)
    assert sweep(short).get("permission_uses") is None

    frozen.shift(DAY)
    assert sweep(short)["permission_uses"] == 1
    assert stage.query("SELECT count(*) FROM permission_uses") == [(1,)]


def test_what_still_counts_is_left_alone(stage: Stage, frozen: Traveller) -> None:
    alice = stage.as_(ALICE)
    frozen.shift(100 * DAY)
    here = stage.as_(DAVE)
    device = enrolled(here)
    sign_in(stage, BOB, password="wrong")
    robot = make_robot(stage)
    thief = dave_at_home_with(stage, device)
    stage.as_(ALICE).delete(f"/v1/sessions/{thief.tokens['session_id']}")
    ask(thief)
    before = counts(stage)

    deleted = sweep(stage)

    assert deleted == {"sessions": 2}  # Alice's, and its one refresh token
    assert alice.get("/v1/me").status_code == 401
    assert here.get("/v1/me").status_code == 200
    assert refresh(stage, here.tokens["refresh_token"]).status_code == 200
    assert ask_token(stage, robot).status_code == 200
    after = counts(stage)
    assert {t: before[t] - after[t] for t in ("signin_attempts", "incidents", "totp_factors", "client_secrets")} == {
        "signin_attempts": 0, "incidents": 0, "totp_factors": 0, "client_secrets": 0,
    }  # fmt: skip


def dave_at_home_with(stage: Stage, device: Any) -> Caller:
    caller = Caller(stage)
    caller.tokens = sign_in(stage, DAVE, device.code(1)).json
    return caller


def test_a_token_whose_session_is_no_longer_known_is_dead_and_signing_out_with_it_is_done(
    stage: Stage, node: Any, frozen: Traveller
) -> None:
    patient = node(
        retention_days=1,
        access_token_seconds=30 * DAY,
        refresh_token_seconds=30 * DAY,
        session_seconds=30 * DAY,
    )
    dave = patient.as_(DAVE)
    dave.post("/v1/auth/logout")
    frozen.shift(2 * DAY)

    assert sweep(patient)["sessions"] == 2

    assert dave.get("/v1/me").json["code"] == "token.revoked"
    assert dave.post("/v1/auth/logout").status_code == 204
    assert patient.as_(ALICE).get(f"/v1/sessions/{dave.tokens['session_id']}").status_code == 404


def test_records_of_a_session_that_lasts_longer_than_the_retention_time_go_before_it(
    node: Any, frozen: Traveller
) -> None:
    stage = node(
        retention_days=1, refresh_token_seconds=DAY // 2, session_seconds=30 * DAY, access_token_seconds=900
    )
    dave = stage.as_(DAVE)
    for _ in range(8):
        frozen.shift(DAY // 2 - 1)
        dave.tokens = refresh(stage, dave.tokens["refresh_token"]).json

    sweep(stage)

    left = stage.query("SELECT generation FROM refresh_tokens ORDER BY generation")
    assert left[0][0] > 4
    assert left[-1][0] == 9
    assert dave.get("/v1/me").status_code == 200


def test_it_goes_in_batches_and_between_two_others_write(
    stage: Stage, frozen: Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 3)
    for _ in range(10):
        stage.as_(DAVE)
    frozen.shift(91 * DAY)
    sizes, step = [], STEPS["sessions"]

    def watched(connection: Any, before: Any, limit: int) -> int:
        count = step(connection, before, limit)
        sizes.append(count)
        return count

    monkeypatch.setitem(STEPS, "sessions", watched)

    assert sweep(stage) == {"sessions": 20}
    assert sizes == [3, 3, 3, 1, 3, 3, 3, 1, 0]


def test_it_begins_with_the_first_request_and_goes_on_after_an_outage(
    stage: Stage, node: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(retention, "EVERY_SECONDS", 0.01)
    looked, came = [], threading.Event()

    def look(self: Retention) -> dict[str, int]:
        looked.append(1)
        if len(looked) == 1:
            raise DatabaseDown
        if len(looked) == 4:
            came.set()
        return {"sessions": 1} if len(looked) == 2 else {}

    monkeypatch.setattr(Retention, "delete_old", look)
    other = node()
    assert looked == []
    assert other.caller().get("/v1/me").status_code == 401

    assert came.wait(PATIENCE)


def test_closing_stops_it_between_two_batches(stage: Stage, frozen: Traveller) -> None:
    stage.as_(DAVE)
    frozen.shift(91 * DAY)
    closed = retention_of(stage)
    closed.close()

    assert closed.delete_old() == {}
    assert stage.query("SELECT count(*) FROM sessions") == [(1,)]
