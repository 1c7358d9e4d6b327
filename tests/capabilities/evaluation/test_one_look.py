"""What answering costs: it writes nothing, waits for nobody, and looks once however many are asked about."""

from __future__ import annotations

import itertools
import random
from contextlib import suppress
from typing import Any

import pytest

from rbac_api import clock
from rbac_api.capabilities.evaluation.service import DETAILS
from rbac_api.database.queries.subjects import find_subject
from rbac_api.decision.evaluate import decide
from rbac_api.guard.enforcement.rules import Rule, judge
from rbac_api.guard.errors import AccessDenied
from rbac_api.guard.state.queries import find_role_graph
from rbac_api.guard.state.subjects import Person
from tests.builders import Caller, Stage
from tests.capabilities.evaluation.asking import (
    MANY,
    ONE,
    YES,
    app_on,
    ask,
    decisions,
    question,
    statements,
    user,
)
from tests.capabilities.oauth.robot import make_robot
from tests.cast import ALICE, BOB, CAST, DAVE

CROWD = 1_000


@pytest.fixture
def app(stage: Stage) -> Caller:
    found = app_on(stage)
    ask(found, ONE, question("alice", "users:read"))  # it is remembered who it is
    return found


def crowd(stage: Stage) -> list[str]:
    """A thousand people without a password, of whom each second one holds what Bob holds; their names."""
    names = [f"person-{number:04}" for number in range(CROWD)]
    text = (
        "CAST('00000000-0000-7000-8000-00000000%04d' AS uuid)"
        if stage.engine == "postgresql"
        else "'0000000000007000800000000000%04d'"
    )
    columns = "status, kind, version, authorization_version, password_temporary, created_at, updated_at"
    same = "'active', 'person', 1, 1, false, created_at, updated_at"
    stage.execute(
        *(
            f"INSERT INTO users (id, username, username_canonical, {columns})"
            f" SELECT {text % number}, '{name}', '{name}', {same} FROM users WHERE username = 'bob'"
            for number, name in enumerate(names)
        ),
        *(
            "INSERT INTO assignments (id, user_id, role_id, mode, valid_from, assigned_at)"
            f" SELECT {text % number}, {text % number}, role_id, mode, valid_from, assigned_at FROM assignments a"
            " JOIN users u ON u.id = a.user_id WHERE u.username = 'bob'"
            for number in range(0, CROWD, 2)
        ),
    )
    return names


def about_people(asked: list[str]) -> list[str]:
    """Of these statements those that read people or what they hold; the gate may look at the trail besides."""
    return [statement for statement in asked if "FROM users" in statement or "FROM assignments" in statement]


def test_a_thousand_people_are_read_in_three_statements_and_then_in_none(stage: Stage, app: Caller) -> None:
    names = crowd(stage)
    ask(app, ONE, question("alice", "users:read"))
    body = {**question("", "invoices:read"), "evaluations": [{"subject": user(name)} for name in names]}

    with statements(stage) as cold:
        found = decisions(app, body)
    with statements(stage) as warm:
        again = decisions(app, body)

    assert found == again == [True, False] * (CROWD // 2)
    assert len(about_people(cold)) == 3, cold
    assert about_people(warm) == []


def test_a_thousand_questions_about_one_person_are_one_look(stage: Stage, app: Caller) -> None:
    asked = [{"action": {"name": f"verb-{number}"}} for number in range(CROWD)]

    with statements(stage) as found:
        answers = decisions(app, {**question("bob", "invoices:read"), "evaluations": [*asked, {}]})

    assert answers == [False] * CROWD + [True]
    assert len(about_people(found)) == 3
    bob = stage.guard.snapshot.people([stage.user_id(BOB)])[stage.user_id(BOB)]
    assert len(bob.decisions) == 1, "what no permission is called is not remembered"


def test_who_writes_keeps_no_question_waiting(stage: Stage, app: Caller) -> None:
    stage.guard.snapshot.forget()
    with stage.database.writing():
        assert ask(app, ONE, question("bob", "invoices:read")) == YES
        assert decisions(app, {"evaluations": [question("dave", "invoices:read")]}) == [False]


def test_a_question_leaves_no_trace(stage: Stage, app: Caller) -> None:
    before = len(stage.events())

    ask(app, ONE, question("bob", "payments:release"))
    app.post(ONE, json={})
    ask(app, MANY, {"evaluations": [question("bob", "invoices:read"), {}]})

    assert len(stage.events()) == before


def company(stage: Stage, chance: random.Random) -> list[str]:
    """Roles that inherit each other, some for a second factor alone, and people who hold some of them; the roles' names."""
    alice, roles = stage.as_(ALICE), [f"role-{number}" for number in range(8)]
    permissions = ["invoices:read", "invoices:approve", "payments:release", "users:read"]
    for name in roles:
        held = chance.sample(permissions, chance.randint(0, 2))
        body = {"name": name, "permissions": held, "requires_mfa": chance.random() < 0.2}
        assert alice.post("/v1/roles", json=body).status_code == 201
    for senior, junior in itertools.pairwise(roles):
        if chance.random() < 0.6:
            alice.put(f"/v1/roles/{senior}/inherits/{junior}")
    for person in (BOB, DAVE):
        for name in chance.sample(roles, 2):
            assert alice.put(f"/v1/users/{stage.user_id(person)}/roles/{name}").status_code == 201
    return roles


@pytest.mark.parametrize("seed", range(3))
def test_an_app_is_told_what_the_rows_say_and_what_the_guard_would_do(stage: Stage, seed: int) -> None:
    chance, app = random.Random(seed), app_on(stage)
    company(stage, chance)
    permissions = [*stage.guard.snapshot.graph().permissions, "no:thing"]
    asked = [(person, chance.choice(permissions)) for person in CAST for _ in range(20)]

    told = decisions(app, {"evaluations": [question(person.username, name) for person, name in asked]})

    with stage.database.reading() as connection:
        graph = find_role_graph(connection)
        for (person, name), decision in zip(asked, told, strict=True):
            found = find_subject(connection, stage.user_id(person), clock.now(), second_factor=True)
            assert found is not None
            assert decision == decide(graph, found[0], name, clock.now()).allowed, (person.username, name)
            standing = stage.guard.snapshot.person(found[0].id, second_factor=True)
            assert decision == passes(standing, name), (person.username, name)


def passes(person: Person, permission: str) -> bool:
    """Whether the guard lets somebody pass with this standing; for those who are disabled it does not come to that question."""
    with suppress(AccessDenied):
        return judge(person, Rule(permission)).allowed
    return False


@pytest.mark.parametrize("seed", range(2))
def test_an_app_is_told_what_an_admin_is_explained(stage: Stage, seed: int) -> None:
    chance, app = random.Random(seed), app_on(stage)
    company(stage, chance)
    permissions = [*stage.guard.snapshot.graph().permissions]
    asked = [(person, chance.choice(permissions)) for person in CAST for _ in range(5)]
    alice = stage.as_(ALICE)

    told = decisions(app, {"evaluations": [question(person.username, name) for person, name in asked]})

    for (person, name), decision in zip(asked, told, strict=True):
        explained = alice.get(f"/v1/users/{stage.user_id(person)}/access?permission={name}")
        assert decision == explained.json["decision"], (person.username, name)


def test_the_guard_lets_dave_do_exactly_what_an_app_is_told_he_may(stage: Stage) -> None:
    app, dave, alice = app_on(stage), stage.as_(DAVE), stage.as_(ALICE)
    doors = {
        "users:read": "/v1/users",
        "roles:read": "/v1/roles",
        "sessions:read": "/v1/sessions",
        "audit:read": "/v1/audit/events",
    }
    told: list[Any] = []
    for role in ("auditor", "role-manager"):
        alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/{role}")
        for permission, door in doors.items():
            told.append((ask(app, ONE, question("dave", permission))["decision"], dave.get(door).status_code))
        alice.delete(f"/v1/users/{stage.user_id(DAVE)}/roles/{role}")

    assert set(told) == {(True, 200), (False, 403)}


def test_a_service_account_in_a_batch_is_judged_as_itself(stage: Stage, app: Caller) -> None:
    robot = make_robot(stage, "role-manager")
    subjects = [
        {"type": "service-account", "id": robot.id},
        user(robot.id),
        user(stage.user_id(BOB)),
        user("bob"),
    ]
    body = {**question("", "invoices:read"), "evaluations": [{"subject": subject} for subject in subjects]}

    assert decisions(app, body) == [True, False, True, True]


def test_somebody_whose_role_ends_is_judged_anew_though_remembered(stage: Stage, app: Caller) -> None:
    asked = {"evaluations": [question("bob", "invoices:read")]}
    assert decisions(app, asked) == [True]
    stage.as_(ALICE).delete("/v1/roles/role-manager/permissions/invoices:read")
    assert decisions(app, asked) == [False]

    assert set(DETAILS) >= {"nothing-grants", "disabled", "not-started", "expired", "not-active"}
