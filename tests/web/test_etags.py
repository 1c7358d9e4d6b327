"""Strong tags: a change is made on what its author has read, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import update

from rbac_api.capabilities.roles import queries as role_queries
from rbac_api.capabilities.users import queries as user_queries
from rbac_api.database.tables import roles, users
from tests.builders import Caller, Stage
from tests.cast import ALICE, BOB, DAVE
from tests.conftest import Stages
from tests.patience import eventually

Change = Callable[[Caller, str], object]
BY_HAND = {
    "user": "UPDATE users SET display_name = 'By hand', version = version + 1 WHERE username = 'dave'",
    "role": "UPDATE roles SET description = 'By hand', version = version + 1 WHERE name = 'role-manager'",
}
# For a row, not for the lock of writers: the thread that links events may wait for that one.
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'transactionid'"


def place(stage: Stage, kind: str) -> str:
    return f"/v1/users/{stage.user_id(DAVE)}" if kind == "user" else "/v1/roles/role-manager"


def body(kind: str, text: str = "x") -> dict[str, str]:
    return {"display_name": text} if kind == "user" else {"description": text}


@pytest.mark.parametrize("kind", ["user", "role"])
@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (None, 428), ("", 428), ("   ", 428), ("*", 428), ('"1-0"', 412), ('"*"', 412), ("nonsense", 412), (",", 412), ('W/"{tag}"', 412),
        ('"{tag}', 412), ('"{tag}x"', 412), ('"other", W/"{tag}"', 412),
    ],
)  # fmt: skip
def test_without_the_present_tag_nothing_changes(
    stage: Stage, kind: str, method: str, sent: str | None, status: int
) -> None:
    alice, path = stage.as_(ALICE), place(stage, kind)
    tag = alice.get(path).headers["ETag"].strip('"')
    headers = {} if sent is None else {"If-Match": sent.format(tag=tag)}

    answer = alice.call(method, path, json=body(kind) if method == "PATCH" else None, headers=headers)

    assert (answer.status_code, answer.json["code"]) == (
        status,
        {428: "etag.required", 412: "etag.stale"}[status],
    )
    assert alice.get(path).headers["ETag"] == f'"{tag}"'


@pytest.mark.parametrize("kind", ["user", "role"])
@pytest.mark.parametrize("sent", ["{tag}", '"other", {tag}', '{tag}, "other"', " {tag} "])
def test_with_it_the_change_is_made_and_the_tag_is_another(stage: Stage, kind: str, sent: str) -> None:
    alice, path = stage.as_(ALICE), place(stage, kind)
    tag = alice.get(path).headers["ETag"]

    answer = alice.patch(path, json=body(kind), headers={"If-Match": sent.format(tag=tag)})

    assert answer.status_code == 200
    assert answer.headers["ETag"] != tag
    assert answer.headers["ETag"] == alice.get(path).headers["ETag"]
    assert alice.patch(path, json=body(kind, "y"), headers={"If-Match": tag}).status_code == 412


@pytest.mark.parametrize("kind", ["user", "role"])
def test_what_is_unchanged_need_not_be_sent_again(stage: Stage, kind: str) -> None:
    alice, path = stage.as_(ALICE), place(stage, kind)
    tag = alice.get(path).headers["ETag"]

    for known in (tag, f"W/{tag}", f'"a", {tag}', "*"):
        answer = alice.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.data) == (
            200 if known == "*" and answer.data else 304,
            answer.data if known == "*" else b"",
        )
    alice.patch_now(path, body(kind))
    assert alice.get(path, headers={"If-None-Match": tag}).status_code == 200


CHANGES: dict[str, Change] = {
    "given a role": lambda a, path: a.put(f"{path}/roles/auditor"),
    "disabled": lambda a, path: a.patch_now(path, {"status": "disabled"}),
    "renamed": lambda a, path: a.patch_now(path, {"display_name": "D"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_the_tag_of_dave_changes_with_him_and_with_his_roles(stage: Stage, change: str) -> None:
    alice, path = stage.as_(ALICE), place(stage, "user")
    before = alice.get(path).headers["ETag"]

    CHANGES[change](alice, path)

    assert alice.get(path).headers["ETag"] != before


@pytest.mark.parametrize("kind", ["user", "role"])
def test_of_twenty_who_read_the_same_one_changes_it(stage: Stage, kind: str) -> None:
    alice, path = stage.as_(ALICE), place(stage, kind)
    headers = {**alice.headers, "If-Match": alice.get(path).headers["ETag"]}

    def attempt(number: int) -> int:
        return (
            stage.app.test_client().patch(path, json=body(kind, f"by {number}"), headers=headers).status_code
        )

    with ThreadPoolExecutor(20) as threads:
        codes = sorted(threads.map(attempt, range(20)))

    assert codes == [200] + [412] * 19
    assert len(stage.events(f"{kind}.updated")) == 1


def test_bob_and_alice_do_not_overwrite_each_other(stage: Stage) -> None:
    alice, bob, path = stage.as_(ALICE), stage.as_(BOB), place(stage, "user")
    tag = bob.get(path).headers["ETag"]
    alice.patch(path, json={"display_name": "By Alice"}, headers={"If-Match": tag})

    lost = bob.patch(path, json={"email": "by@bob.example"}, headers={"If-Match": tag})

    assert lost.status_code == 412
    assert bob.patch_now(path, {"email": "by@bob.example"}).json["display_name"] == "By Alice"


def waits(stage: Stage) -> bool:
    """Whether somebody waits for a lock: on SQLite she has her turn and no more, since the lock is the file's."""
    if stage.engine == "sqlite":
        return bool(stage.database._turns.locked())
    return bool(stage.query(WAITING)[0][0])


def change_overtaken(stage: Stage, kind: str) -> Any:
    """Alice's answer to a change that somebody who asks no service overtook: he wrote, she waited for him, he committed."""
    alice, path = stage.as_(ALICE), place(stage, kind)
    headers = {"If-Match": alice.get(path).headers["ETag"]}
    with ThreadPoolExecutor(1) as threads:
        with (
            stage.database.engine.connect() as by_hand,
            by_hand.execution_options(writer=True, **stage.database.transactional).begin(),
        ):
            by_hand.exec_driver_sql(BY_HAND[kind])
            answer = threads.submit(alice.patch, path, json=body(kind), headers=headers)
            assert eventually(lambda: waits(stage), 0.005)
        return answer.result()


def shown(stage: Stage, kind: str) -> str:
    return str(stage.as_(ALICE).get(place(stage, kind)).json[next(iter(body(kind)))])


@pytest.mark.parametrize("kind", ["user", "role"])
def test_alice_does_not_overwrite_what_was_changed_by_hand_while_she_waited(stage: Stage, kind: str) -> None:
    answer = change_overtaken(stage, kind)

    assert (answer.status_code, answer.json["code"]) == (412, "etag.stale")
    assert shown(stage, kind) == "By hand"
    assert stage.events(f"{kind}.updated") == []


@pytest.mark.outside
@pytest.mark.parametrize("kind", ["user", "role"])
def test_a_change_that_does_not_name_the_version_would_overwrite_it(
    stages: Stages, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The vulnerable twin, on PostgreSQL: SQLite's lock lets nobody read before it is free."""
    stage, table = stages.get("postgresql"), users if kind == "user" else roles
    stage.reset()

    def naive(connection: Any, found: str, version: int, values: dict[str, Any]) -> bool:
        changed = update(table).where(table.c.id == found).values(**values, version=version + 1)
        return bool(connection.execute(changed).rowcount == 1)

    monkeypatch.setattr(user_queries if kind == "user" else role_queries, f"update_{kind}", naive)

    assert change_overtaken(stage, kind).status_code == 200
    assert shown(stage, kind) == "x"
