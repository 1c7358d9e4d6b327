"""The records of a session's refresh tokens: every rotation, and never a token."""

from __future__ import annotations

from time_machine import Traveller

from tests.builders import Stage
from tests.capabilities.signin.crowd import claims, refresh
from tests.cast import CAROL, DAVE


def test_carol_sees_every_rotation_of_daves_session(stage: Stage, frozen: Traveller) -> None:
    pairs = [stage.as_(DAVE).tokens]
    for _ in range(3):
        frozen.shift(60)
        pairs.append(refresh(stage, pairs[-1]["refresh_token"]).json)
    carol = stage.as_(CAROL)

    records = carol.get(f"/v1/sessions/{pairs[0]['session_id']}/refresh-tokens").json["items"]

    said = [claims(pair["refresh_token"]) for pair in pairs]
    assert [record["jti"] for record in records] == [claim["jti"] for claim in said]
    assert [record["generation"] for record in records] == [1, 2, 3, 4]
    assert [record["replaced_by"] for record in records] == [*(claim["jti"] for claim in said[1:]), None]
    assert [record["spent_at"] for record in records] == [
        *(record["issued_at"] for record in records[1:]),
        None,
    ]
    assert {record["ip"] for record in records} == {"127.0.0.1"}


def test_a_record_shows_the_address_that_refreshed(stage: Stage) -> None:
    tokens = stage.as_(DAVE).tokens
    body = {"refresh_token": tokens["refresh_token"]}
    stage.caller().post("/v1/auth/refresh", json=body, environ_base={"REMOTE_ADDR": "203.0.113.9"})

    carol = stage.as_(CAROL)

    records = carol.get(f"/v1/sessions/{tokens['session_id']}/refresh-tokens").json["items"]
    assert [record["ip"] for record in records] == ["127.0.0.1", "203.0.113.9"]
    assert carol.get(f"/v1/sessions/{tokens['session_id']}").json["ip"] == "127.0.0.1"


def test_a_repeated_exchange_makes_no_second_record(stage: Stage) -> None:
    tokens = stage.as_(DAVE).tokens
    for _ in range(3):
        refresh(stage, tokens["refresh_token"])

    answer = stage.as_(CAROL).get(f"/v1/sessions/{tokens['session_id']}/refresh-tokens?count=true")

    assert answer.json["total"] == 2


def test_carol_pages_through_the_records(stage: Stage) -> None:
    tokens = stage.as_(DAVE).tokens
    for _ in range(4):
        tokens = refresh(stage, tokens["refresh_token"]).json
    carol, address = stage.as_(CAROL), f"/v1/sessions/{tokens['session_id']}/refresh-tokens?limit=2"

    found, cursor = [], ""
    while cursor is not None:
        page = carol.get(f"{address}{cursor and f'&cursor={cursor}'}").json
        found += [record["generation"] for record in page["items"]]
        cursor = page["next"]

    assert found == [1, 2, 3, 4, 5]
