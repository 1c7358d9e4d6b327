"""Every event concerns a domain: who may read the trail there reads it, and learns of no other."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

from rbac_api.capabilities.audit import queries
from rbac_api.capabilities.audit.service import verify_trail
from rbac_api.capabilities.domains.service import create_domain
from rbac_api.capabilities.users.service import NewUser, add_user
from rbac_api.cli.prepare import operator_unit
from rbac_api.database.types import new_id
from rbac_verifier.events import verify_export
from tests.builders import Caller, Stage
from tests.cast import ALICE, CAROL, DAVE, PASSWORD

EVENTS = "/v1/audit/events"
DOMAINS = ("acme", "acme-eu", "acme.eu", "globex")
MINE = {"acme", "acme.eu"}


@pytest.fixture
def tenants(stage: Stage) -> Stage:
    """Users at home at each domain and at ``root``; Dave reads the trail of ``acme``."""
    stage.kept("events of domains", lambda: settle(stage))
    return stage


def settle(stage: Stage) -> None:
    hashed = stage.guard.runtime.hasher.hash(PASSWORD)
    with operator_unit(stage.settings, stage.database) as clearance:
        for domain in DOMAINS:
            create_domain(clearance, {"name": domain})
            new = NewUser(username=f"at-{domain}", home=domain, password_hash=hashed, password_final=True)
            add_user(clearance, new)
    alice = stage.as_(ALICE)
    assert alice.post("/v1/roles", json={"name": "reader", "permissions": ["audit:read"]}).status_code == 201
    for domain in DOMAINS:
        path = f"/v1/users/{stage.user_id(CAROL)}/roles/reader"
        assert alice.put(path, json={"domain": domain}).status_code == 201
    path = f"/v1/users/{stage.user_id(DAVE)}/roles/reader"
    assert alice.put(path, json={"domain": "acme"}).status_code == 201


@pytest.fixture
def dave(tenants: Stage) -> Caller:
    return tenants.as_(DAVE)


def concerning(caller: Caller, arguments: str = "", limit: int = 200) -> list[dict[str, Any]]:
    return caller.every(EVENTS, arguments, limit=limit)


def domains_of(events: list[dict[str, Any]]) -> set[str]:
    return {one["domain"] for one in events}


def actions(events: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(one["action"], one["domain"]) for one in events}


def test_an_event_concerns_the_home_of_what_it_is_about_or_the_domain_of_the_assignment(
    tenants: Stage,
) -> None:
    events = concerning(tenants.as_(ALICE))
    for domain in DOMAINS:
        told = {(one["action"], one["target"]["name"]) for one in events if one["domain"] == domain}
        given = {
            ("assignment.created", name) for name in (("carol", "dave") if domain == "acme" else ("carol",))
        }
        assert told >= {("domain.created", domain), ("user.created", f"at-{domain}"), *given}
    assert domains_of([one for one in events if one["action"] == "role.created"]) == {"root"}


def test_what_an_account_does_and_suffers_concerns_its_home(tenants: Stage) -> None:
    seen = len(tenants.events())
    user, path = "at-acme.eu", f"/v1/users/{tenants.user_id('at-acme.eu')}"
    tenants.caller().client.post("/v1/auth/login", json={"username": user, "password": "wrong guess 17"})
    own, other, alice = tenants.as_(user), tenants.as_(user), tenants.as_(ALICE)
    assert own.get("/v1/users/alice").status_code == 403
    body = {"refresh_token": own.tokens["refresh_token"]}
    assert tenants.caller().post("/v1/auth/refresh", json=body).status_code == 200
    assert own.post("/v1/auth/logout").status_code == 204
    assert alice.delete(f"/v1/sessions/{other.tokens['session_id']}").status_code == 204
    assert alice.patch_now(path, {"display_name": "Erin"}).status_code == 200
    assert alice.patch_now(path, {"status": "disabled"}).status_code == 200
    assert alice.delete_now(path).status_code == 204

    events = [one for one in concerning(alice, "&from_seq=1") if one["seq"] > seen]
    there = {action for action, domain in actions(events) if domain == "acme.eu"}
    assert there >= {
        "signin.failed", "signin.succeeded", "access.refused", "token.rotated", "session.ended",
        "user.updated", "user.disabled", "user.deleted",
    }  # fmt: skip
    elsewhere = {action for action, domain in actions(events) if domain != "acme.eu"}
    assert elsewhere <= {"signin.succeeded", "audit.read"}  # of Alice
    assert verify_trail(tenants.database, {}).broken_seq is None


@pytest.mark.parametrize("limit", [1, 3, 200])
def test_a_reader_of_a_domain_reads_its_events_and_those_below(
    tenants: Stage, dave: Caller, limit: int
) -> None:
    everything = concerning(tenants.as_(ALICE))
    mine = [one["seq"] for one in everything if one["domain"] in MINE]

    newest = concerning(dave, limit=limit)
    assert [one["seq"] for one in newest][-len(mine) :] == mine
    assert domains_of(newest) == MINE
    assert [one["seq"] for one in concerning(dave, "&from_seq=1", limit)][: len(mine)] == mine[::-1]
    middle = mine[len(mine) // 2]
    assert concerning(dave, f"&from_seq={middle}")[0]["seq"] == middle
    assert dave.get(f"{EVENTS}?count=true").json["total"] == len(concerning(dave))


FILTERS = (
    "action=user.created", "action!=user.created", "actor=alice", "target=dave", "target=at-globex",
    "role=reader", "ip=127.0.0.1", "outcome=success", "after=2026-01-01T00:00:00Z",
    "before=2999-01-01T00:00:00Z", "after=2026-01-01T00:00:00Z&before=2999-01-01T00:00:00Z",
    "domain=acme", "domain=acme.eu", "domain=globex", "domain=none", "domain=root",
    "domain=acme&target=dave", "domain=acme&action=user.created",
)  # fmt: skip


@pytest.mark.parametrize("many", [False, True])
@pytest.mark.parametrize("given", FILTERS)
def test_every_filter_selects_among_what_may_be_read(
    tenants: Stage, dave: Caller, given: str, many: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if many:
        monkeypatch.setattr(queries, "_FEW_DOMAINS", 0)
    end = tenants.events()[-1]["seq"]
    dave.get(f"{EVENTS}?limit=1")  # the reading itself is recorded before
    fitting = {one["seq"] for one in concerning(tenants.as_(ALICE), f"&{given}") if one["domain"] in MINE}

    assert {one["seq"] for one in concerning(dave, f"&{given}") if one["seq"] <= end} == {
        seq for seq in fitting if seq <= end
    }


def test_a_reader_of_several_domains_reads_each_event_once(tenants: Stage) -> None:
    carols = tenants.as_(CAROL)
    for caller, domains in ((carols, {"root", *DOMAINS}), (tenants.as_(DAVE), MINE)):
        found = concerning(caller, limit=7)
        assert len({one["seq"] for one in found}) == len(found)
        assert domains_of(found) == domains


def test_an_event_that_may_not_be_read_is_unknown(tenants: Stage, dave: Caller) -> None:
    events = concerning(tenants.as_(ALICE))
    unknown = {"": dave.get(f"{EVENTS}/999999"), "/proof": dave.get(f"{EVENTS}/999999/proof")}
    for event in events[:: max(1, len(events) // 40)]:
        for what, missing in unknown.items():
            answer = dave.get(f"{EVENTS}/{event['seq']}{what}")
            if event["domain"] in MINE:
                assert answer.status_code == 200
            else:
                assert (answer.status_code, answer.json["code"]) == (404, missing.json["code"])
                assert answer.json["detail"] == missing.json["detail"]


def test_a_refusal_is_explained_to_who_reads_the_trail_of_the_refused_users_home(
    tenants: Stage, dave: Caller
) -> None:
    numbers = {
        domain: tenants.as_(f"at-{domain}").get("/v1/users/alice").json["decision_id"] for domain in DOMAINS
    }
    for domain, number in numbers.items():
        answer = dave.get(f"/v1/decisions/{number}")
        assert answer.status_code == (200 if domain in MINE else 404)
    unknown = dave.get(f"/v1/decisions/{uuid4()}").json
    assert dave.get(f"/v1/decisions/{numbers['globex']}").json["detail"] == unknown["detail"]


@pytest.mark.parametrize("form", ["text/csv", "application/x-ndjson"])
def test_a_file_has_what_may_be_read_and_nothing_else(tenants: Stage, dave: Caller, form: str) -> None:
    file = dave.get(EVENTS, headers={"Accept": form}).text
    assert "at-acme.eu" in file
    assert "globex" not in file
    assert "acme-eu" not in file


def test_an_export_says_where_and_a_changed_domain_is_found_out(tenants: Stage) -> None:
    text = tenants.as_(ALICE).get(EVENTS, headers={"Accept": "application/x-ndjson"}).text
    lines = [line.encode() for line in text.splitlines()]
    assert verify_export(lines)[1].broken_seq is None
    place = next(n for n, line in enumerate(lines) if json.loads(line)["domain"] == "acme.eu")
    for other in ("acme", "root", None):
        event = {**json.loads(lines[place]), "domain": other}
        altered = [*lines[:place], json.dumps(event).encode(), *lines[place + 1 :]]
        assert verify_export(altered)[1].broken_seq == place + 1
    missing = json.loads(lines[place])
    del missing["domain"]
    assert verify_export([*lines[:place], json.dumps(missing).encode()])[1].broken_seq == place + 1


def test_an_event_that_is_moved_to_another_domain_in_the_database_is_found_out(tenants: Stage) -> None:
    event = next(one for one in concerning(tenants.as_(ALICE)) if one["domain"] == "globex")
    with tenants.database.writing() as connection:
        switch = "ALTER TABLE trail_events {} TRIGGER ALL" if tenants.engine == "postgresql" else ""
        triggers: list[Any] = []
        if switch:
            connection.exec_driver_sql(switch.format("DISABLE"))
        else:
            found = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'trail_events'"
            triggers = list(connection.exec_driver_sql(found))
            for name, _ in triggers:
                connection.exec_driver_sql(f"DROP TRIGGER {name}")
        connection.exec_driver_sql(f"UPDATE trail_events SET domain = 'acme' WHERE seq = {event['seq']}")
        for _, text in triggers:
            connection.exec_driver_sql(text)
        if switch:
            connection.exec_driver_sql(switch.format("ENABLE"))
    assert verify_trail(tenants.database, {}).broken_seq == event["seq"]


def test_the_guard_is_caught_when_it_looks_away(
    tenants: Stage, dave: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The vulnerable twin of the list: it reads every domain."""
    monkeypatch.setattr(queries, "_of_domains", lambda branch, _filters, _domains: [branch])
    assert domains_of(concerning(dave)) > MINE


def test_the_trail_as_a_whole_is_of_root(tenants: Stage, dave: Caller) -> None:
    for path in ("/v1/audit/checkpoint", "/v1/audit/consistency?from=1"):
        assert dave.get(path).status_code == 403
    assert dave.get(EVENTS).status_code == 200
    assert tenants.as_(DAVE).get(f"{EVENTS}?actor={new_id()}").json["items"] == []
