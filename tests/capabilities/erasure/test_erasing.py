"""Erasing what is known about a deleted user: nothing of it is left, and the trail is as intact as before."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from rbac_api.capabilities.audit.service import stream_events, trail_length, verify_trail
from rbac_api.capabilities.policy import service as policy
from rbac_api.capabilities.users.service import erase_profile, find_erasable
from rbac_api.cli.prepare import operator_unit
from rbac_api.database.queries.trail import EVENT, EventRow
from rbac_api.database.tables import trail_events
from rbac_api.decision.document import read_document
from rbac_api.formats.http_errors import PreconditionFailed
from rbac_api.trail.chain import verify_export
from rbac_api.trail.fields import COLUMNS
from rbac_api.trail.personal import actor_name
from tests.builders import Caller, Stage
from tests.capabilities.erasure.lives import answers, erase, found, lived, name_of, rows
from tests.cast import ALICE, BOB, CAROL, DAVE
from tests.sizes import sized

LIVES = sized(12, 1000)
ERASED = {"erased": True}


def export(stage: Stage) -> list[bytes]:
    newest = trail_length(stage.database)
    return b"".join(stream_events(stage.database, {}, "ndjson", newest)).splitlines()


def deleted(alice: Caller, username: str = "erin", **more: Any) -> str:
    """The id of a user who was made and deleted."""
    made = alice.post("/v1/users", json={"username": username, **more}).json
    assert "id" in made, made
    user_id = str(made["id"])
    assert alice.delete_now(f"/v1/users/{user_id}").status_code == 204
    return user_id


@pytest.mark.soak
def test_of_erased_users_no_byte_is_in_any_table_answer_export_or_metric(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    lives = [
        lived(stage, stage.as_(ALICE), number) for number in range(LIVES)
    ]  # a token may not live through all
    alice = stage.as_(ALICE)
    before, places = export(stage), found(rows(stage))
    assert {"users.username", "personal_values.entries", "sessions.ip", "incidents.other_ip"} <= set(places)
    assert {"refresh_tokens.ip", "policy_changes.changes", "sessions.user_agent"} <= set(places)

    monkeypatch.setattr(stage.app.wsgi_app, "_logs", True)
    capfdbinary.readouterr()
    assert {erase(alice, life.id).status_code for life in lives} == {204}
    for life in lives:
        stage.caller().post("/v1/auth/login", json={"username": life.name, "password": "wrong"})
        alice.get("/v1/audit/events", query_string={"actor": life.name})

    assert found(rows(stage)) == []
    names = {"user_id": lives[0].id, "seq": str(trail_length(stage.database) - 9)}
    assert found(answers(stage, alice, names)) == []
    assert found(iter([("metrics", stage.caller().get("/metrics").text)])) == []
    kept = "SELECT location FROM idempotency_keys"
    assert {f"/v1/users/{life.id}" for life in lives}.isdisjoint(row[0] for row in stage.query(kept))
    log = capfdbinary.readouterr().err.decode()
    assert f"/v1/users/{lives[0].id}/erasure" in log, "it did log"
    assert found(iter([("log", log)])) == []
    assert verify_trail(stage.database, {}).problem is None
    assert verify_export(before)[1].problem is None
    assert verify_export(export(stage))[1].problem is None


def test_each_column_with_personal_values_is_reached(stage: Stage) -> None:
    """A column that is classified as personal later has to be emptied, too."""
    alice = stage.as_(ALICE)
    life = lived(stage, alice, 1)
    filled = set(found(rows(stage)))
    personal = {
        f"{table}.{name}"
        for table, columns in COLUMNS.items()
        for name, kind in columns.items()
        if kind == "personal"
    }

    assert personal - filled <= {"users.email", "users.display_name", "incidents.rightful_user_agent"}, (
        "emptied"
    )
    assert erase(alice, life.id).status_code == 204
    assert found(rows(stage)) == []


def test_an_erased_value_reads_so_and_the_trail_says_who_erased_it_and_why(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    user_id = deleted(alice, email="erin@example.com")

    assert erase(alice, user_id).status_code == 204

    erased, gone, made = alice.get(f"/v1/audit/events?target={user_id}").json["items"]
    assert (erased["action"], erased["actor"]["name"], erased["reason"]) == (
        "user.erased", "alice", "Request of 30 November, ticket 4711",
    )  # fmt: skip
    assert erased["target"] == {"type": "user", "id": user_id, "name": None}
    assert gone["target"]["name"] == gone["before"]["email"] == made["after"]["username"] == ERASED
    assert gone["before"]["display_name"] is None
    assert gone["actor"]["name"] == "alice"
    assert stage.query("SELECT username FROM users WHERE erased_at IS NOT NULL") == [("(erased)",)]


def test_sessions_stay_listed_without_name_address_and_user_agent(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    life = lived(stage, alice, 3)
    erase(alice, life.id)

    [session] = alice.get(f"/v1/sessions?state=ended&user={life.id}").json["items"]
    records = alice.get(f"/v1/sessions/{session['id']}/refresh-tokens").json["items"]

    assert session["user"] == {"id": life.id, "username": "(erased)"}
    assert (session["ip"], session["user_agent"]) == (None, None)
    assert [record["ip"] for record in records] == [None, None]


@pytest.mark.parametrize("name", ["Zoë", "zoë", "ZOË ", "Zoe\u0308"])
def test_no_new_account_gets_an_erased_name(stage: Stage, name: str) -> None:
    alice = stage.as_(ALICE)
    erase(alice, deleted(alice, "Zoë"))

    answer = alice.post("/v1/users", json={"username": name})

    assert (answer.status_code, answer.json["code"]) == (409, "user.username_taken")


def test_neither_a_service_account_nor_a_document_gets_it(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    erase(alice, deleted(alice))

    answer = alice.post("/v1/service-accounts", json={"name": "erin"})
    with operator_unit(stage.settings, stage.database) as clearance:
        loaded = policy.load_document(clearance, read_document({"users": [{"username": "Erin"}]}), "again")

    assert (answer.status_code, answer.json["code"]) == (409, "service_account.name_taken")
    assert loaded.users == 0


@pytest.mark.parametrize("name", ["(erased)", "(ERASED)"])
def test_no_user_can_look_like_an_erased_one(stage: Stage, name: str) -> None:
    answer = stage.as_(ALICE).post("/v1/users", json={"username": name})

    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "/username")


def test_two_users_can_be_erased(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    for user_id in (deleted(alice, "erin"), deleted(alice, "frank")):
        assert erase(alice, user_id).status_code == 204

    assert stage.query("SELECT count(*) FROM users WHERE username = '(erased)'") == [(2,)]


def test_erasing_twice_is_a_conflict_and_is_recorded_once(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    user_id = deleted(alice)
    erase(alice, user_id)

    for user in (user_id, "erin", user_id.upper()):
        answer = erase(alice, user)
        assert (answer.status_code, answer.json["code"]) == (409, "user.erased")
    assert len(stage.events("user.erased")) == 1


def test_a_user_who_is_not_deleted_is_not_erased_nor_does_anybody_erase_themselves(stage: Stage) -> None:
    alice = stage.as_(ALICE)

    for user in (stage.user_id(DAVE), "dave", stage.user_id(ALICE)):
        answer = erase(alice, user)
        assert (answer.status_code, answer.json["code"]) == (409, "user.not_deleted")
    assert alice.get("/v1/me").json["username"] == "alice"


@pytest.mark.parametrize("user", ["0198c0de-7a3e-7d52-9c41-2b8f6a1d3e57", "nobody", "robot"])
def test_an_unknown_user_and_a_service_account_are_not_found(stage: Stage, user: str) -> None:
    alice = stage.as_(ALICE)
    alice.post("/v1/service-accounts", json={"name": "robot"})

    answer = erase(alice, user)

    assert (answer.status_code, answer.json["code"]) == (404, "user.not_found")


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": None}, {"reason": "x", "y": 1}]
)
def test_an_erasure_has_a_reason(stage: Stage, body: dict[str, Any]) -> None:
    alice = stage.as_(ALICE)
    user_id = deleted(alice)

    assert alice.post(f"/v1/users/{user_id}/erasure", json=body).status_code == 422
    assert stage.events("user.erased") == []


@pytest.mark.parametrize("reason", ["Erin asked for it", "asked by (ERIN)", "erin"])
def test_the_reason_does_not_keep_the_name(stage: Stage, reason: str) -> None:
    alice = stage.as_(ALICE)
    user_id = deleted(alice)

    answer = erase(alice, user_id, reason)

    assert (answer.status_code, answer.json["errors"][0]["code"]) == (422, "reason.names_user")
    assert erase(alice, user_id, "erinyes").status_code == 204


def test_without_the_permission_nothing_is_erased(stage: Stage) -> None:
    user_id = deleted(stage.as_(ALICE))

    for person in (BOB, CAROL, DAVE):
        answer = erase(stage.as_(person), user_id)
        assert (answer.status_code, answer.json["required"]) == (403, "users:erase")


def test_a_user_who_held_more_when_deleted_is_not_erased_by_one_who_holds_less(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    alice.put("/v1/roles/role-manager/permissions/users:erase")
    weaker, stronger = (
        deleted(alice, "erin"),
        str(alice.post("/v1/users", json={"username": "frank"}).json["id"]),
    )
    alice.put(f"/v1/users/{stronger}/roles/admin")
    alice.delete_now(f"/v1/users/{stronger}")
    bob = stage.as_(BOB)

    answer = erase(bob, stronger)

    assert (answer.status_code, answer.json["code"]) == (403, "target.stronger")
    assert "frank" not in stage.events("access.refused")[-1]["reason"]
    assert erase(bob, weaker).status_code == 204
    assert erase(alice, stronger).status_code == 204


def test_a_refusal_that_names_a_user_is_recorded_without_the_name(stage: Stage) -> None:
    bob = stage.as_(BOB)

    answer = bob.delete_now(f"/v1/users/{stage.user_id(ALICE)}")

    assert answer.json["detail"].startswith("alice holds ")
    refused = stage.events("access.refused")[-1]
    assert refused["reason"].startswith(f"{stage.user_id(ALICE)} holds ")
    assert "alice" not in str(stage.query("SELECT detail FROM decisions"))


def test_an_applied_policy_forgets_the_name_and_cannot_be_reverted_any_more(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    life = lived(stage, alice, 5)
    seqs = [event["seq"] for event in stage.events("policy.applied")]
    erase(alice, life.id)

    answer = alice.post("/v1/policy/revert", json={"seq": seqs[-1]})

    assert (answer.status_code, answer.json["code"]) == (409, "policy.not_revertible")
    assert name_of(5).lower() not in answer.text.lower()


def test_an_account_that_changed_meanwhile_is_not_half_erased(stage: Stage) -> None:
    user_id = deleted(stage.as_(ALICE))

    with operator_unit(stage.settings, stage.database) as clearance:
        _, row = find_erasable(clearance, user_id)
        with pytest.raises(PreconditionFailed):
            erase_profile(clearance, row._replace(version=row.version + 1))

    assert stage.query("SELECT erased_at FROM users WHERE username = 'erin'") == [(None,)]


def test_an_explanation_shows_a_placeholder_for_an_erased_actor(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    life = lived(stage, alice, 6)
    theirs = select(*EVENT).where(trail_events.c.actor_id.in_((life.id, stage.user_id(ALICE))))

    def names() -> set[str | None]:
        with stage.database.reading() as connection:
            return {actor_name(EventRow._make(row)) for row in connection.execute(theirs)}

    assert names() == {"alice", life.name}
    erase(alice, life.id)
    assert names() == {"alice", "(erased)"}
