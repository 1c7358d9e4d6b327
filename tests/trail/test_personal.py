"""Personal values are not in the chain: an event has their digests, and they can be taken away."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from typing import Any

import pytest

from rbac_api.capabilities.audit.service import stream_events, trail_length, verify_trail
from rbac_api.trail.chain import Unreadable, Verdict, verify_export
from rbac_api.trail.personal import erase_values
from rbac_api.trail.recorder import Actor, Target, record
from tests.builders import Stage
from tests.cast import ALICE, CAROL, DAVE
from tests.trail.test_chain import tamper

ERASED = {"erased": True}
ERIN = {"username": "Erin~Quill", "email": "erin@quill.example", "display_name": "Erin Q/uill"}
NOBODY = "0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57"


def erin(stage: Stage) -> str:
    """A user, made and deleted; the id."""
    alice = stage.as_(ALICE)
    user_id = str(alice.post("/v1/users", json=ERIN).json["id"])
    alice.delete_now(f"/v1/users/{user_id}")
    return user_id


def exported(stage: Stage) -> list[bytes]:
    """The export in NDJSON, a line each."""
    length = trail_length(stage.database)
    return b"".join(stream_events(stage.database, {}, "ndjson", length)).splitlines(keepends=True)


def verdict(stage: Stage) -> Verdict:
    return verify_trail(stage.database, {})


def newest(stage: Stage) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(exported(stage)[-1])
    return event


def test_no_column_of_an_event_has_a_personal_value(stage: Stage) -> None:
    erin(stage)

    rows = str(stage.query("SELECT * FROM trail_events")) + str(stage.query("SELECT * FROM trail_outbox"))

    assert [value for value in (*ERIN.values(), "127.0.0.1", "'alice'", "werkzeug") if value in rows] == []
    assert verdict(stage).problem is None


def test_a_salt_has_one_spelling(stage: Stage) -> None:
    erin(stage)
    lines = exported(stage)
    event = json.loads(lines[-1])
    proof = event["personal"]["/actor/name"]
    for spelling in (proof["salt"].upper(), f" {proof['salt']}"):
        other = json.dumps(
            {**event, "personal": {**event["personal"], "/actor/name": {**proof, "salt": spelling}}}
        )
        assert "was altered" in str(verify_export([*lines[:-1], other.encode()])[1].problem)


def test_an_event_shows_its_values_and_how_they_were_hashed(stage: Stage) -> None:
    user_id = erin(stage)

    event = newest(stage)

    assert (event["actor"]["name"], event["ip"]) == ("alice", "127.0.0.1")
    assert event["target"] == {"type": "user", "id": user_id, "name": ERIN["username"]}
    assert {name: event["before"][name] for name in ERIN} == ERIN
    places = {"/actor/name", "/target/name", "/ip", *(f"/before/{name}" for name in ERIN)}
    assert set(event["personal"]) == places
    proof = event["personal"]["/before/email"]
    salted = bytes.fromhex(proof["salt"]) + ERIN["email"].encode()
    assert proof == {"digest": hashlib.sha256(salted).hexdigest(), "salt": proof["salt"]}
    salts = {each["salt"] for each in event["personal"].values()}
    assert len(salts) == len(places)
    assert {len(salt) for salt in salts} == {32}


def test_what_is_erased_reads_so_in_every_form_and_the_chain_and_old_exports_stay_intact(
    stage: Stage,
) -> None:
    user_id, before = erin(stage), exported(stage)
    count = stage.query("SELECT count(*) FROM personal_values WHERE ip IS NULL")

    with stage.database.writing() as connection:
        assert erase_values(connection, user_id) == 2

    event, after = newest(stage), exported(stage)
    assert event["target"]["name"] == event["before"]["email"] == ERASED
    assert event["personal"]["/before/email"].keys() == {"digest"}
    assert event["actor"]["name"] == "alice"
    assert verdict(stage).problem is None
    assert verify_export(before)[1] == verify_export(after)[1] == verdict(stage)
    assert stage.query("SELECT count(*) FROM personal_values WHERE ip IS NULL")[0][0] < count[0][0]
    assert [value for value in ERIN.values() if value.encode() in b"".join(after)] == []
    sheet = b"".join(stream_events(stage.database, {}, "csv", event["seq"])).decode()
    *_, cells = csv.DictReader(io.StringIO(sheet, newline=""))
    assert (cells["target_name"], cells["actor_name"]) == ('{"erased":true}', "alice")
    assert json.loads(cells["before"])["email"] == ERASED


def test_a_value_that_does_not_fit_its_digest_is_found(stage: Stage) -> None:
    erin(stage)
    last = trail_length(stage.database)
    for entries in (
        "replace(entries, 'quill', 'qui11')",
        "replace(entries, '/ip', '/id')",
        "'[]'",
        "'{'",
        "replace(entries, '127.0.0.1', '127.0.0.2')",
    ):
        kept = stage.query("SELECT part, entries FROM personal_values WHERE seq = ?", last)
        tamper(stage, f"UPDATE personal_values SET entries = {entries} WHERE seq = {last}")
        assert verdict(stage).problem == f"event {last} was altered: its hash does not fit its fields"
        restored = (
            f"UPDATE personal_values SET entries = '{text}' WHERE seq = {last} AND part = {part}"
            for part, text in kept
        )
        tamper(stage, *restored)
        assert verdict(stage).problem is None


def test_a_value_of_another_event_is_found(stage: Stage) -> None:
    erin(stage)
    moved = f"UPDATE personal_values SET seq = 1, part = 7 WHERE seq = {trail_length(stage.database)} AND part = 0"
    tamper(stage, moved)

    assert verdict(stage).broken_seq == 1


@pytest.mark.parametrize("erased", [False, True])
def test_each_changed_byte_of_an_exported_event_is_found(stage: Stage, *, erased: bool) -> None:
    user_id = erin(stage)
    if erased:
        with stage.database.writing() as connection:
            erase_values(connection, user_id)
    *_, line = exported(stage)
    assert verify_export([line])[1].problem is None

    for place in range(len(line) - 1):
        changed = line[:place] + bytes([line[place] ^ 1]) + line[place + 1 :]
        assert is_found(changed), changed


def is_found(line: bytes) -> bool:
    """Whether an export of this event alone is reported as changed, or as no export."""
    try:
        return verify_export([line])[1].problem is not None
    except Unreadable:
        return True


def test_every_byte_of_the_digests_in_the_database_counts(stage: Stage) -> None:
    erin(stage)
    last = trail_length(stage.database)
    [[text]] = stage.query("SELECT personal FROM trail_events WHERE seq = ?", last)

    for place in range(0, len(text), 7):
        changed = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
        escaped = changed.replace("'", "''").replace("%", "%%")
        tamper(stage, f"UPDATE trail_events SET personal = '{escaped}' WHERE seq = {last}")
        assert verdict(stage).broken_seq == last, changed


@pytest.mark.parametrize(
    "change",
    [
        lambda event: event["target"].update(name=ERASED),
        lambda event: event["target"].update(name="mallory"),
        lambda event: event["personal"]["/ip"].pop("salt"),
        lambda event: event["personal"]["/ip"].update(salt=7),
        lambda event: event["personal"]["/ip"].update(more="x"),
        lambda event: event["personal"].pop("/ip"),
        lambda event: event.update(personal=None),
        lambda event: event["personal"].update({"/after/x": event["personal"]["/ip"]}),
        lambda event: event.update(ip=7),
    ],
)
def test_an_event_of_an_export_with_other_values_is_found(stage: Stage, change: Any) -> None:
    erin(stage)
    event = newest(stage)

    change(event)

    assert is_found(json.dumps(event).encode())


def test_exports_from_before_there_were_digests_are_intact(stage: Stage) -> None:
    lines = [line for line in exported(stage) if b'"personal":null' in line]
    assert lines, "what the system made has no personal values"

    first = [json.loads(line) for line in lines[:1]]
    del first[0]["personal"]

    assert verify_export([json.dumps(event).encode() for event in first])[1].problem is None


def test_values_are_found_wherever_they_are_and_belong_to_the_user_that_is_named_beside_them(
    stage: Stage,
) -> None:
    dave = stage.user_id(DAVE)
    facts = {
        "user": {"id": dave, "username": "dave"},
        "seen": [{"ip": "192.0.2.1"}, {"ip": None, "user_agent": "curl", "a/b": {"email": "d@x.example"}}],
    }
    with stage.database.writing() as connection:
        seq = record(connection, Actor("operator"), "incident.opened", Target("incident"), after=facts)

    event = newest(stage)
    assert event["after"] == facts
    assert set(event["personal"]) == {
        "/after/user/username", "/after/seen/0/ip", "/after/seen/1/user_agent", "/after/seen/1/a~1b/email",
    }  # fmt: skip
    rows = stage.query("SELECT user_id FROM personal_values WHERE seq = ?", seq)
    assert [str(row[0]).replace("-", "") for row in rows] == [dave.replace("-", "")]


def test_what_belongs_to_no_user_has_no_owner(stage: Stage) -> None:
    with stage.database.writing() as connection:
        seq = record(connection, Actor("anonymous", ip="192.0.2.7"), "signin.failed", Target("user"))

    assert stage.query("SELECT user_id, ip FROM personal_values WHERE seq = ?", seq) == [(None, "192.0.2.7")]


def test_an_auditor_finds_the_events_of_a_user_by_name(stage: Stage) -> None:
    carol, dave = stage.as_(CAROL), stage.as_(DAVE)
    dave.get("/v1/users")

    found = [
        {event["action"] for event in carol.get(f"/v1/audit/events?{name}=DAVE").json["items"]}
        for name in ("actor", "target")
    ]

    assert found == [{"signin.succeeded", "access.refused"}, {"user.created", "signin.succeeded"}]
