"""Transactions that meet: run again by themselves, three times at most, and never a 500."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from rbac_api.capabilities.audit.service import verify_trail
from tests.builders import Stage
from tests.cast import ALICE, BOB, CAROL, DAVE, PASSWORD

WORKERS, EACH = 32, 6
ROLES = ("auditor", "clerk", "driver", "cook", "smith")
CLASH = (
    "CREATE SEQUENCE clashes; CREATE FUNCTION clash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " IF nextval('clashes') <= {1} THEN RAISE EXCEPTION 'could not serialize' USING ERRCODE = '{2}'; END IF; RETURN NEW; END $$;"
    " CREATE TRIGGER clash BEFORE INSERT ON {0} FOR EACH ROW EXECUTE FUNCTION clash()"
)
NO_CLASH = "DROP FUNCTION clash() CASCADE; DROP SEQUENCE clashes"


@contextmanager
def clashing(stage: Stage, table: str, times: int, state: str) -> Iterator[None]:
    """The first so many rows for the table meet a transaction of somebody else's.  A sequence counts, since no rollback undoes it."""
    stage.execute(CLASH.format(table, times, state))
    try:
        yield
    finally:
        stage.execute(NO_CLASH)


@pytest.mark.parametrize("state", ["40001", "40P01"])
@pytest.mark.parametrize("table", ["assignments", "trail_events"])
def test_alice_does_not_notice_that_her_change_clashed_three_times(
    troupe: Stage, table: str, state: str
) -> None:
    alice, path = troupe.as_(ALICE), f"/v1/users/{troupe.user_id(DAVE)}/roles/auditor"

    with clashing(troupe, table, 3, state):
        assert alice.put(path).status_code == 201

    assert [event["target_name"] for event in troupe.events("assignment.created")][-1:] == ["dave"]
    assert verify_trail(troupe.database, {}).problem is None


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_what_clashes_again_and_again_is_refused_and_has_changed_nothing(troupe: Stage, state: str) -> None:
    alice, path = troupe.as_(ALICE), f"/v1/users/{troupe.user_id(DAVE)}/roles/auditor"
    before = len(troupe.events())

    with clashing(troupe, "assignments", 99, state):
        answer = alice.put(path)
        tried = troupe.query("SELECT last_value FROM clashes")

    assert (answer.status_code, answer.json["code"]) == (503, "database.unavailable")
    assert (answer.headers["Retry-After"], tried) == ("1", [(4,)])
    assert len(troupe.events()) == before
    assert alice.put(path).status_code == 201


def test_daves_sign_in_and_refresh_survive_clashes_too(troupe: Stage) -> None:
    with clashing(troupe, "sessions", 3, "40001"):
        dave = troupe.as_(DAVE)
    with clashing(troupe, "refresh_tokens", 3, "40P01"):
        answer = dave.post("/v1/auth/refresh", json={"refresh_token": dave.tokens["refresh_token"]})
    with clashing(troupe, "signin_attempts", 99, "40001"):
        failed = troupe.caller().post("/v1/auth/login", json={"username": "dave", "password": "x" + PASSWORD})

    assert answer.status_code == 200
    assert failed.status_code == 503
    assert len(troupe.query("SELECT 1 FROM sessions WHERE user_id = ?", troupe.user_id(DAVE))) == 1


def test_thirty_two_people_giving_and_taking_roles_at_once_never_see_a_5xx(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    for role in ROLES[1:]:
        alice.post("/v1/roles", json={"name": role})
    people = [stage.user_id(person) for person in (BOB, CAROL, DAVE)]
    people += [alice.post("/v1/users", json={"username": name}).json["id"] for name in ("erin", "frank")]

    def work(seed: int) -> set[int]:
        chance, client = random.Random(seed), stage.app.test_client()
        doings = [
            (chance.choice(people), chance.choice(ROLES), chance.choice(["PUT", "DELETE"]))
            for _ in range(EACH)
        ]
        calls = ((f"/v1/users/{person}/roles/{role}", method) for person, role, method in doings)
        return {client.open(path, method=method, headers=alice.headers).status_code for path, method in calls}

    with ThreadPoolExecutor(WORKERS) as threads:
        seen = set().union(*threads.map(work, range(WORKERS)))

    assert seen <= {200, 201, 204, 404}, seen
    open_twice = "SELECT user_id, role_id FROM assignments WHERE valid_to IS NULL GROUP BY user_id, role_id HAVING count(*) > 1"
    assert stage.query(open_twice) == []
    assert verify_trail(stage.database, {}).problem is None


def test_what_was_given_minus_what_was_taken_is_what_they_hold(stage: Stage) -> None:
    alice, dave = stage.as_(ALICE), stage.user_id(DAVE)
    path = f"/v1/users/{dave}/roles/auditor"
    start = len(stage.events())

    def work(number: int) -> int:
        method = "PUT" if number % 2 else "DELETE"
        return stage.app.test_client().open(path, method=method, headers=alice.headers).status_code

    with ThreadPoolExecutor(8) as threads:
        codes = list(threads.map(work, range(48)))

    actions = [event["action"] for event in stage.events()[start:] if event["target_name"] == "dave"]
    assert (
        actions
        == ["assignment.created", "assignment.ended"] * (len(actions) // 2) + actions[len(actions) // 2 * 2 :]
    )
    assert (actions.count("assignment.created"), actions.count("assignment.ended")) == (
        codes.count(201),
        codes.count(204),
    )
