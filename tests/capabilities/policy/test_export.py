"""The policy is exported in pieces: the same document as in one piece, and no more memory for more assignments."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import pytest
from sqlalchemy import insert, select

from rbac_api.capabilities.policy import export as module
from rbac_api.cli.prepare import operator_unit
from rbac_api.database.tables import assignments, roles, users
from rbac_api.database.types import new_id
from rbac_api.formats.strict_yaml import parse_yaml, yaml_text
from tests.builders import Stage
from tests.capabilities.oauth.robot import make_robot
from tests.cast import ALICE, BOB, CAROL, DAVE

YAML = {"Accept": "application/yaml"}
TERMS = {
    "reason": 'quarter\'s end: "2026"',
    "starts_at": "2126-01-01T00:00:00Z",
    "expires_at": "2127-01-01T00:00:00Z",
}


def held_by_many(stage: Stage) -> None:
    alice = stage.as_(ALICE)
    make_robot(stage, "auditor")
    alice.post("/v1/users", json={"username": "Émile_x"})
    alice.post("/v1/users", json={"username": "a-b"})
    for name in (DAVE.username, BOB.username, "a-b", "Émile_x"):
        alice.put(f"/v1/users/{name}/roles/auditor", json={"mode": "eligible"} if name == "a-b" else TERMS)


@pytest.mark.parametrize("chunk", [1, 2, 500])
def test_the_document_in_pieces_is_the_document_whole_and_sorted(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    held_by_many(stage)
    monkeypatch.setattr(module, "CHUNK", chunk)
    carol = stage.as_(CAROL)

    found = carol.get("/v1/policy")
    text = carol.get("/v1/policy", headers=YAML)

    listed = [
        (
            "service_account" if "service_account" in one else "user",
            one.get("user", one.get("service_account")),
            one["role"],
        )
        for one in found.json["assignments"]
    ]
    assert len(listed) > 6
    assert listed == sorted(listed, key=lambda one: (one[0], one[1].casefold(), one[2]))
    assert text.get_data(as_text=True) == yaml_text(found.json)
    assert int(found.headers["Content-Length"]) == len(found.get_data())
    assert list(found.json) == ["domains", "permissions", "roles", "constraints", "assignments"]


def test_a_policy_without_assignments_is_a_document_too() -> None:
    document: module.Document = {"permissions": [], "roles": []}

    assert orjson.loads(b"".join(module.json_pieces(document, ()))) == {**document, "assignments": []}
    assert parse_yaml(b"".join(module.yaml_pieces(document, ())).decode()) == {**document, "assignments": []}


@pytest.mark.parametrize("number", [0, 1, 2, 3, 5])
@pytest.mark.parametrize("indent", [False, True])
def test_json_in_pieces_is_json_whole(monkeypatch: pytest.MonkeyPatch, number: int, indent: bool) -> None:
    monkeypatch.setattr(module, "CHUNK", 2)
    document: module.Document = {"permissions": [], "roles": [{"name": "a]"}]}
    held: list[dict[str, object]] = [{"user": f"u{n}", "role": "[a]", "reason": "]} "} for n in range(number)]

    found = b"".join(module.json_pieces(document, held, indent))

    form = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE if indent else None
    assert found == orjson.dumps({**document, "assignments": held}, option=form)


def test_a_policy_that_the_caller_has_is_not_written_again(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    carol = stage.as_(CAROL)
    tag = carol.get("/v1/policy").headers["ETag"]
    monkeypatch.setattr(module, "load_state", None)

    answer = carol.get("/v1/policy", headers={"If-None-Match": tag})

    assert (answer.status_code, answer.get_data()) == (304, b"")


def add_holders(stage: Stage, number: int, role: str | None = None) -> None:
    """Copies of Dave with one role each: this one, or any."""
    held = select(assignments).where(assignments.c.valid_to.is_(None))
    if role is not None:
        held = select(assignments).where(
            assignments.c.role_id.in_(select(roles.c.id).where(roles.c.name == role))
        )
    with stage.database.writing() as connection:
        dave = connection.execute(select(users).where(users.c.id == stage.user_id(DAVE))).one()._asdict()
        given = connection.execute(held.limit(1)).one()._asdict()
        people = [
            {
                **dave,
                "id": new_id(),
                "username": name,
                "username_canonical": name,
                "email": None,
                "email_canonical": None,
            }
            for name in (f"copy-{new_id()}" for _ in range(number))
        ]
        connection.execute(insert(users), people)
        rows = [{**given, "id": new_id(), "user_id": person["id"]} for person in people]
        connection.execute(insert(assignments), rows)


def peak(stage: Stage, *, yaml: bool) -> int:
    """The most memory in use during an export, in bytes."""
    with operator_unit(stage.settings, stage.database, writes=False) as clearance:
        clearance.graph()
        gc.collect()
        tracemalloc.start()
        try:
            _, file = module.export_policy(clearance, yaml=yaml)
            found = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        file.close()
    return found


def growth(stage: Stage, *, yaml: bool = False) -> int:
    """How much more memory 4,000 assignments take than 1,500."""
    add_holders(stage, 1_500)
    peak(stage, yaml=yaml)  # what is allocated once
    before = peak(stage, yaml=yaml)
    add_holders(stage, 2_500)
    return peak(stage, yaml=yaml) - before


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the document were large."""
    monkeypatch.setattr(module, "MAX_IN_MEMORY", 10_000)


@pytest.mark.parametrize("yaml", [False, True], ids=["json", "yaml"])
def test_more_assignments_take_no_more_memory(stage: Stage, yaml: bool) -> None:
    assert growth(stage, yaml=yaml) < 50_000


def test_assignments_collected_first_would(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The vulnerable twin."""

    def collected(rows: Iterable[Any], _size: int) -> Iterator[list[Any]]:
        yield list(rows)

    monkeypatch.setattr(module, "batched", collected)

    assert growth(stage) > 1_000_000
