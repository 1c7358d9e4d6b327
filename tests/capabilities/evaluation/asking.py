"""A client app on the stage, and the questions it asks."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from tests.builders import Caller, Stage
from tests.capabilities.oauth.robot import as_robot, make_robot
from tests.cast import ALICE, BOB, CAROL, DAVE, MALLORY

ONE, MANY = "/access/v1/evaluation", "/access/v1/evaluations"
JSON = "application/json"
NOTHING_GRANTS = {
    "decision": False,
    "context": {"reasons": [{"code": "nothing-grants", "detail": "No role of the subject grants this."}]},
}
YES = {"decision": True}


def app_on(stage: Stage) -> Caller:
    """A service account that may ask for decisions and nothing else, signed in."""
    body = {"name": "asker", "permissions": ["access:evaluate"]}
    assert stage.as_(ALICE).post("/v1/roles", json=body).status_code == 201
    return as_robot(stage, make_robot(stage, "asker", name="till"))


def user(name: str) -> dict[str, str]:
    return {"type": "user", "id": name}


def question(name: str, permission: str, **more: Any) -> dict[str, Any]:
    """May the person do what the permission names?"""
    resource, _, verb = permission.partition(":")
    return {
        "subject": user(name),
        "action": {"name": verb},
        "resource": {"type": resource, "id": "1"},
        **more,
    }


def ask(caller: Caller, path: str, body: Any) -> Any:
    """The answer's body, which is an answer."""
    answer = caller.post(path, json=body)
    assert (answer.status_code, answer.mimetype) == (200, JSON), answer.text
    return answer.json


def decisions(caller: Caller, body: dict[str, Any]) -> list[bool]:
    return [found["decision"] for found in ask(caller, MANY, body)["evaluations"]]


def refusal(answer: Any, status: int = 400) -> str:
    """The sentence with which a question was refused, in the specification's form."""
    assert (answer.status_code, answer.mimetype) == (status, JSON), answer.text
    sentence = json.loads(answer.data)
    assert isinstance(sentence, str)
    assert sentence
    assert answer.headers["Cache-Control"] == "no-store"
    return sentence


@contextmanager
def statements(stage: Stage) -> Iterator[list[str]]:
    """What is asked of the database meanwhile."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        found.append(statement)

    event.listen(stage.database.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(stage.database.engine, "before_cursor_execute", note)


def scene(stage: Stage) -> None:
    """Roles of all kinds: strict, inherited, eligible, kept apart; and a robot."""
    alice = stage.as_(ALICE)
    for name in ("tea:drink", "tea:cup:wash", "tea:brew"):
        alice.post("/v1/permissions", json={"name": name, "description": "x"})
    for name, held in (
        ("a", ["tea:drink"]),
        ("b", ["tea:brew", "tea:cup:wash"]),
        ("c", []),
        ("d", ["tea:brew"]),
    ):
        assert alice.post("/v1/roles", json={"name": name, "permissions": held}).status_code == 201
    alice.put("/v1/roles/c/inherits/b")
    alice.patch_now("/v1/roles/b", {"requires_mfa": True})
    for person, role in ((DAVE, "a"), (CAROL, "c"), (BOB, "c"), (BOB, "d"), (MALLORY, "a")):
        alice.put(f"/v1/users/{stage.user_id(person)}/roles/{role}")
    alice.put(f"/v1/users/{stage.user_id(CAROL)}/roles/a", json={"mode": "eligible"})
    alice.post("/v1/constraints", json={"name": "x", "kind": "dynamic", "roles": ["a", "d"], "limit": 2})
    alice.put(f"/v1/users/{stage.user_id(DAVE)}/roles/d")
    robot = make_robot(stage, "a", name="urn")
    assert alice.put(f"/v1/service-accounts/{robot.id}/roles/c").status_code == 201
