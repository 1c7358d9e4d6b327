"""The database goes away, comes back, turns read-only, loses a table: nobody is told its words, and the service recovers alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from rbac_api.database.constraints import DatabaseDown
from rbac_api.database.engine import Database
from tests.builders import Stage, another_node, raise_curtain, settings_for
from tests.cast import ALICE, CAROL, DAVE
from tests.patience import eventually
from tests.servers.postgres import PostgresServer, start_postgres
from tests.trail.breakage import broken, renamed

pytestmark = pytest.mark.outside

DEMOTE = "ALTER SYSTEM SET default_transaction_read_only = on"
PROMOTE = "ALTER SYSTEM RESET default_transaction_read_only"


@pytest.fixture(scope="module")
def mortal() -> Iterator[PostgresServer]:
    """A server of this module's own, which it may kill."""
    server = start_postgres(durable=True)
    yield server
    server.crash()  # nobody wants its data
    server.stop()


@pytest.fixture
def house(mortal: PostgresServer, tmp_path: Path) -> Iterator[Stage]:
    """A stage on that server."""
    found = raise_curtain("postgresql", mortal.create_database(), tmp_path)
    yield found
    found.close()


def test_a_restart_is_noticed_by_nobody_who_asks_afterwards(house: Stage, mortal: PostgresServer) -> None:
    carol, alice = house.as_(CAROL), house.as_(ALICE)
    assert carol.get("/v1/users").status_code == 200

    mortal.restart(immediate=True)

    assert carol.get("/v1/users").status_code == 200
    assert alice.put(f"/v1/users/{house.user_id(DAVE)}/roles/auditor").status_code == 201


def test_while_it_is_down_everybody_gets_503_and_readiness_says_why(
    house: Stage, mortal: PostgresServer
) -> None:
    carol = house.as_(CAROL)
    mortal.crash()
    try:
        refused = carol.get("/v1/users")
        ready, healthy = house.caller().get("/readyz"), house.caller().get("/healthz")
    finally:
        mortal.restart()

    assert (refused.status_code, refused.json["code"]) == (503, "database.unavailable")
    assert "127.0.0.1" not in refused.text
    assert (ready.status_code, ready.json["ready"], healthy.status_code) == (503, False, 200)
    assert [(c["name"], c["ok"]) for c in ready.json["checks"]] == [("database", False)]
    assert carol.get("/v1/users").status_code == 200, "the very first who asks"
    assert house.caller().get("/readyz").json["ready"] is True


def test_a_worker_answers_from_memory_again_soon_after_a_restart(
    house: Stage, mortal: PostgresServer
) -> None:
    carol, gate = house.as_(CAROL), house.guard.snapshot.gate
    mortal.restart(immediate=True)

    assert eventually(lambda: carol.get("/v1/me").status_code == 200 and gate.unchanged())

    assert house.query("SELECT count(*) FROM followers WHERE name LIKE ?", f"{gate._name}%")[0][0] >= 1


def test_a_primary_that_was_demoted_costs_one_failure_and_not_every_write_for_ever(house: Stage) -> None:
    """New connections reach the new primary, the pooled ones an old one that still answers, and refuses to write (SQLSTATE 25006)."""
    alice, path = house.as_(ALICE), f"/v1/users/{house.user_id(DAVE)}/roles/auditor"
    twin = create_engine(house.database.engine.url, pool_pre_ping=True)
    twin.connect().close()
    name = house.database.engine.url.database
    try:
        house.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = off")
        server(house, DEMOTE)
        codes = [alice.put(path).status_code, alice.delete(path).status_code, alice.put(path).status_code]
        refused = [fails(twin) for _ in range(5)]
    finally:
        server(house, PROMOTE)
        twin.dispose()

    assert codes == [503, 404, 201]
    assert refused == [True] * 5, "the twin shows what happens without the listener"


def server(house: Stage, command: str) -> None:
    with psycopg.connect(house.settings.database_url, autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = off")
        connection.execute(command)
        connection.execute("SELECT pg_reload_conf()")
    with house.database.reading() as pooled:
        show = text("SHOW default_transaction_read_only")
        assert command != DEMOTE or eventually(lambda: pooled.execute(show).scalar_one() == "on")


def fails(engine: object) -> bool:
    try:
        with engine.begin() as connection:  # type: ignore[attr-defined]
            connection.execute(text("DELETE FROM idempotency_keys"))
    except DBAPIError:
        return True
    return False


FAULTS = {
    "integrity": "23514", "integrity of a reference": "23503", "data": "22001", "internal": "XX000", "raised": "P0001",
    "full disk": "53100", "privilege": "42501",
}  # fmt: skip


@pytest.mark.parametrize("state", FAULTS.values(), ids=list(FAULTS))
def test_whatever_the_database_says_alice_is_told_none_of_it(stage: Stage, state: str) -> None:
    alice = stage.as_(ALICE)
    users = stage.query("SELECT count(*) FROM users")
    words = "value hunter2 violates secret_constraint in table users at /var/lib/pg"

    with broken(stage, "users", message=words, state=state):
        answer = alice.client.post("/v1/users", json={"username": "erin"}, headers=alice.headers)

    assert answer.status_code in (500, 503)
    assert set(answer.json) == {"type", "title", "status", "detail", "code", "request_id"}
    told = [
        word
        for word in (*words.split(), "INSERT", "psycopg", "sqlite", "SQL", "Traceback")
        if word in answer.text.split()
    ]
    assert told == [w for w in told if w in ("in", "at")]
    assert stage.query("SELECT count(*) FROM users") == users
    assert alice.post("/v1/users", json={"username": "erin"}).status_code == 201, "and the next one is served"


@pytest.mark.parametrize(
    "table", ["users", "roles", "sessions", "assignments", "signing_keys", "refresh_tokens"]
)
def test_without_a_table_the_service_is_unavailable_and_then_there_again(stage: Stage, table: str) -> None:
    carol = stage.as_(CAROL)
    stage.guard.snapshot.forget()

    with renamed(stage, table):
        answers = [
            carol.client.get(path, headers=carol.headers)
            for path in ("/v1/users", "/v1/roles", "/v1/sessions")
        ]
        answers.append(
            carol.client.post("/v1/auth/refresh", json={"refresh_token": carol.tokens["refresh_token"]})
        )

    assert {answer.status_code for answer in answers} <= {200, 503}
    assert 503 in {answer.status_code for answer in answers}
    assert not [answer for answer in answers if answer.status_code == 503 and table in answer.json["detail"]]
    assert carol.get("/v1/users").status_code == 200


def test_a_file_that_is_no_database_is_an_outage_and_not_a_riddle(tmp_path: Path) -> None:
    (tmp_path / "own.db").write_text("I am a poem, not a database." * 100)
    database = Database(settings_for(f"sqlite:///{tmp_path}/own.db"))

    with pytest.raises(DatabaseDown, match="nothing was changed"), database.reading():
        pass
    database.dispose()


def test_a_folder_that_was_not_there_for_the_first_request_is_an_outage_too(tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    place.mkdir()
    house = raise_curtain("sqlite", f"sqlite:///{place}/own.db", place)
    carol = house.as_(CAROL)

    with another_node(house) as node:
        client = node.app.test_client()
        place.rename(elsewhere)
        refused = client.get("/v1/users", headers=carol.headers)
        elsewhere.rename(place)
        served = client.get("/v1/users", headers=carol.headers)

    assert (refused.status_code, refused.json["code"]) == (503, "database.unavailable")
    assert (served.status_code, str(tmp_path) in refused.text) == (200, False)
    house.close()
